/* The engine for one instruction set and number type; compiled once for each. */
#define _POSIX_C_SOURCE 200809L /* posix_memalign */
#include "walk.h"

#include "count.h"

static int bind(struct program *p, long i, const void *first, const void *second)
{
    struct node *d = &p->node[i];
    const size_t width = (size_t)d->channels * sizeof(REAL);
    const long terms = d->kind == CONV ? program_terms(p, d) : 1;
    d->first = malloc(width * (size_t)terms);
    d->second = malloc(width);
    if (!d->first || !d->second)
        return 0;
    if (d->kind == CONV) {
        const long outs = d->channels / d->size * terms; /* weights of a group */
        for (long g = 0; g < d->size; g++)
            conv_pack((const REAL *)first + g * outs, d->channels / d->size, terms, (REAL *)d->first + g * outs);
    } else {
        memcpy(d->first, first, width);
    }
    if (second)
        memcpy(d->second, second, width);
    else
        memset(d->second, 0, width);
    return 1;
}

static void run(struct scratch *w, const struct input *in, const struct scores *out, const struct job *job)
{
#ifdef SCANWISE_POISON
    fill(w, 0xff); /* NaN, which shows wherever it is used */
#endif
    (w->program->carry_x ? run_signal : run_image)(w, in, out, job);
    v_streamed();
}

/* Chains enough to hide the latency of an addition, and few enough for the registers. */
enum { CHAINS = VECTOR_BYTES == 64 ? 20 : 12 };

static double peak(long rounds, double *operations)
{
    vec sum[CHAINS], x = v_all((REAL)0.5), one = v_all(1);
    for (int i = 0; i < CHAINS; i++)
        sum[i] = v_all((REAL)i);
    for (long r = 0; r < rounds; r++) {
        v_pin(x);
#pragma GCC unroll 20
        for (int i = 0; i < CHAINS; i++)
            sum[i] = v_fma(sum[i], x, one);
    }
    for (int i = 1; i < CHAINS; i++)
        sum[0] = sum[0] + sum[i];
    REAL out[LANES];
    v_store(out, sum[0]);
    *operations = 2.0 * CHAINS * LANES * (double)rounds;
    return (double)out[0];
}

const struct variant VARIANT = {LANES, sizeof(REAL), bind, scratch_new, scratch_free, run, peak, count};
