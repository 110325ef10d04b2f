/* One register tile of a convolution: M channels x N vectors of neighbouring positions; M and N are macros.
 *
 * `from[k]` is where term k of the sum begins in the source, `weight[k * M + m]` its weights. Terms are added in their
 * order, each by one fused multiply-add; after BLOCK terms a new sum is begun, which is added to what the terms before
 * gave. Computes `chunks` tiles, one beside the other, from position `at` on.
 */
static void NAME(M, N)(const struct sum *s, const REAL *weight, const REAL *bias, ptrdiff_t at, REAL *dst, long chunks)
{
    for (long chunk = 0; chunk < chunks; chunk++, at += N * LANES, dst += N * LANES) {
        const REAL *w = weight;
        for (long k = 0, stop; k < s->terms; k = stop) {
            vec acc[M][N];
            stop = s->terms - k > BLOCK ? k + BLOCK : s->terms;
#pragma GCC unroll 16
            for (int m = 0; m < M; m++)
#pragma GCC unroll 16
                for (int n = 0; n < N; n++)
                    acc[m][n] = v_all(k ? 0 : bias[m]);
            for (long i = k; i < stop; i++, w += M) {
                const REAL *p = s->from[i] + at;
                vec x[N];
#pragma GCC unroll 16
                for (int n = 0; n < N; n++) {
                    x[n] = v_load(p + n * LANES);
                    v_pin(x[n]);
                }
#pragma GCC unroll 16
                for (int m = 0; m < M; m++) {
                    vec b = v_all(w[m]);
                    v_pin(b);
#pragma GCC unroll 16
                    for (int n = 0; n < N; n++)
                        acc[m][n] = v_fma(b, x[n], acc[m][n]);
                }
            }
#pragma GCC unroll 16
            for (int m = 0; m < M; m++)
#pragma GCC unroll 16
                for (int n = 0; n < N; n++) {
                    vec y = acc[m][n];
                    REAL *d = dst + m * s->plane + n * LANES;
                    if (k)
                        y = v_load(d) + y;
                    if (s->relu && stop == s->terms)
                        y = v_relu(y);
                    v_store(d, y);
                }
        }
    }
}
#undef M
#undef N
