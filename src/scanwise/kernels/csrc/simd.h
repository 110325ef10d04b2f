/* Vectors of REAL: the only file that knows instruction sets.
 *
 * A vector holds LANES numbers, which are values of one map at LANES neighbouring positions. No operation mixes lanes,
 * and every lane sees the same operations in the same order wherever it stands, so a value cannot depend on how an
 * input was cut. `+ - * /` and comparisons are GCC's and Clang's vector extensions; a comparison gives an `ivec` that
 * is -1 where it holds and 0 elsewhere. Multiplication and addition are fused only by name, `v_fma`, never by the
 * compiler's choice: compile with -ffp-contract=off.
 *
 * The includer defines REAL, float or double, REAL_IS_DOUBLE, 0 or 1, and compiles with the flags of the set.
 */
#ifndef SCANWISE_SIMD_H
#define SCANWISE_SIMD_H

#include <stddef.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define VECTOR_BYTES 64
#define HAS_FMA 1
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define VECTOR_BYTES 32
#define HAS_FMA 1
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#define VECTOR_BYTES 16
#define HAS_FMA 1
#else
#define VECTOR_BYTES 16
#define HAS_FMA 0
#endif

#if REAL_IS_DOUBLE
typedef int64_t integer;
#else
typedef int32_t integer;
#endif
typedef REAL vec __attribute__((vector_size(VECTOR_BYTES)));
typedef integer ivec __attribute__((vector_size(VECTOR_BYTES)));

enum { LANES = VECTOR_BYTES / sizeof(REAL) };

#define INLINE static inline __attribute__((always_inline, unused))

INLINE vec v_load(const REAL *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void v_store(REAL *p, vec v) { memcpy(p, &v, sizeof v); }

/* Store at a multiple of VECTOR_BYTES, and not in the cache where the set can do that; others may see it late. */
INLINE void v_stream(REAL *p, vec v)
{
#if VECTOR_BYTES == 64
    _mm512_stream_si512((__m512i *)p, (__m512i)v);
#elif VECTOR_BYTES == 32
    _mm256_stream_si256((__m256i *)p, (__m256i)v);
#else
    v_store(p, v);
#endif
}

/* What was streamed before is seen by others before anything that is stored from now on. */
INLINE void v_streamed(void)
{
#if VECTOR_BYTES >= 32
    _mm_sfence();
#endif
}

INLINE vec v_all(REAL s) { return s - (vec){0}; }

/* `mask` is -1 or 0 in each lane, as comparisons give it. */
INLINE vec v_pick(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }

/* a * b + c, rounded once where the set can do that. */
INLINE vec v_fma(vec a, vec b, vec c)
{
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    return (vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif VECTOR_BYTES == 64
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VECTOR_BYTES == 32 && REAL_IS_DOUBLE
    return (vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif VECTOR_BYTES == 32
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif HAS_FMA && REAL_IS_DOUBLE
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#elif HAS_FMA
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

/* The larger; NaN where either is NaN, as in torch. */
INLINE vec v_max(vec a, vec b)
{
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    __m512d x = (__m512d)a, y = (__m512d)b; /* max gives y when either is NaN */
    return (vec)_mm512_mask_mov_pd(_mm512_max_pd(x, y), _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), x);
#elif VECTOR_BYTES == 64
    __m512 x = (__m512)a, y = (__m512)b;
    return (vec)_mm512_mask_mov_ps(_mm512_max_ps(x, y), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
#else
    return v_pick((a > b) | (a != a), a, b);
#endif
}

/* The smaller; NaN where either is NaN, as in torch. */
INLINE vec v_min(vec a, vec b) { return v_pick((a < b) | (a != a), a, b); }

/* `low` where v is lower, else v: NaN stays; `low` is a number. */
INLINE vec v_at_least(vec v, vec low)
{
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    return (vec)_mm512_max_pd((__m512d)low, (__m512d)v);
#elif VECTOR_BYTES == 64
    return (vec)_mm512_max_ps((__m512)low, (__m512)v);
#elif VECTOR_BYTES == 32 && REAL_IS_DOUBLE
    return (vec)_mm256_max_pd((__m256d)low, (__m256d)v);
#elif VECTOR_BYTES == 32
    return (vec)_mm256_max_ps((__m256)low, (__m256)v);
#else
    return v_pick(v < low, low, v);
#endif
}

/* `high` where v is higher, else v: NaN stays; `high` is a number. */
INLINE vec v_at_most(vec v, vec high)
{
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    return (vec)_mm512_min_pd((__m512d)high, (__m512d)v);
#elif VECTOR_BYTES == 64
    return (vec)_mm512_min_ps((__m512)high, (__m512)v);
#elif VECTOR_BYTES == 32 && REAL_IS_DOUBLE
    return (vec)_mm256_min_pd((__m256d)high, (__m256d)v);
#elif VECTOR_BYTES == 32
    return (vec)_mm256_min_ps((__m256)high, (__m256)v);
#else
    return v_pick(v > high, high, v);
#endif
}

/* max(0, v), which keeps NaN. */
INLINE vec v_relu(vec v) { return v_at_least(v, (vec){0}); }

INLINE vec v_sqrt(vec v)
{
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    return (vec)_mm512_sqrt_pd((__m512d)v);
#elif VECTOR_BYTES == 64
    return (vec)_mm512_sqrt_ps((__m512)v);
#elif VECTOR_BYTES == 32 && REAL_IS_DOUBLE
    return (vec)_mm256_sqrt_pd((__m256d)v);
#elif VECTOR_BYTES == 32
    return (vec)_mm256_sqrt_ps((__m256)v);
#else
    for (int i = 0; i < LANES; i++)
        v[i] = (REAL)(REAL_IS_DOUBLE ? sqrt(v[i]) : sqrtf((float)v[i]));
    return v;
#endif
}

/* Keep a vector in its register: GCC 12 else loads it anew for every fused multiply-add. */
#if defined(__x86_64__) && defined(__GNUC__)
#define v_pin(v) __asm__("" : "+v"(v))
#else
#define v_pin(v) ((void)0)
#endif

#endif
