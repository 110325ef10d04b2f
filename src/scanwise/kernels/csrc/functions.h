/* Elementary functions of vectors, each within a few units in the last place.
 *
 * Arguments are reduced as in W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980): by
 * multiples of ln 2, which is kept as the sum of a short number, whose multiples are exact, and of the rest. What
 * remains is small, and a polynomial does; its coefficients are the minimax ones (E. Remez) for the relative error,
 * rounded. The logarithm goes by the series of the inverse hyperbolic tangent, which needs half the terms.
 *
 * NaN gives NaN, infinities their limits, and results too small for a normal number are rounded to a denormal one. No
 * number is converted to an integer: adding 1.5 * 2^(bits of a fraction) rounds to an integer, which then stands in the
 * lowest bits of the sum.
 */
#ifndef SCANWISE_FUNCTIONS_H
#define SCANWISE_FUNCTIONS_H

#include <math.h>

#include "simd.h"

#if REAL_IS_DOUBLE
typedef uint64_t natural;
#define LIBM(name) name
enum { FRACTION_BITS = 52, EXPONENT_BIAS = 1023 };
#define SMALLEST_NORMAL 0x1p-1022
#define ROUNDER 0x1.8p52
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcdu
#define LN2_HIGH 0x1.62e42feep-1 /* 32 bits */
#define LN2_LOW 0x1.a39ef35793c76p-33
enum { ERFC_MIDDLE = 4 };
#define ERFC_MOST 27.3
#define LOG10_2_HIGH 0x1.34413508p-2 /* 32 bits */
#define LOG10_2_LOW 0x1.f79fef311f12bp-34
enum { EXP_LEAST = -746, EXP_MOST = 710, EXPM1_LEAST = -40, TANH_MOST = 20, MISH_MOST = 40 };
static const REAL EXP_TAIL[] = {0.5, 0.16666666666666677, 0.041666666666666685, 0.00833333333332185,
                                0.0013888888888898845, 0.00019841269885170505, 2.4801587261592347e-05,
                                2.7557245298376555e-06, 2.755734832720672e-07, 2.510865581663376e-08,
                                2.0887438575450042e-09};
static const REAL LOG_TAIL[] = {0.6666666666666735, 0.3999999999940875, 0.2857142874391037, 0.22222198398997872,
                                0.18183574214052625, 0.153137779236353, 0.1479886121049996};
static const REAL ERF_TAIL[] = {0.1283791670955126,      -0.37612638903184126,   0.11283791670973732,
                                -0.026866170648754437,   0.005223977661621389,   -0.0008548329126467017,
                                0.00012055408807019678,  -1.4927388451853127e-05, 1.6487182209725507e-06,
                                -1.6579574949059177e-07, 1.5682065080374823e-08, -1.2285167580168997e-09};
static const REAL ERFC_TAIL[] = {
    1.2329951186255526,      -0.13962111684056247,   0.015379652102621393,    0.0680970542546863,
    -0.1010390660364285,     0.0937328349986591,     -0.066330365808591,      0.03716751553041321,
    -0.01619773411163537,    0.0050319700688181744,  -0.0007577728297572399,  -0.00019925741005235697,
    0.00015061930220514497,  -2.439562276367889e-05, -1.1214488751999298e-05, 5.698176718617266e-06,
    2.796021174876549e-07,   -8.02276920913314e-07,  8.865106854645911e-08,   8.347298802326478e-08,
    -2.2230741439555545e-08};
#else
typedef uint32_t natural;
#define LIBM(name) name##f
enum { FRACTION_BITS = 23, EXPONENT_BIAS = 127 };
#define SMALLEST_NORMAL 0x1p-126f
#define ROUNDER 0x1.8p23f
#define SQRT_HALF_BITS 0x3f3504f3u
#define LN2_HIGH 0x1.63p-1f /* 9 bits */
#define LN2_LOW -0x1.bd0106p-13f
enum { ERFC_MIDDLE = 2 };
#define ERFC_MOST 10.1f
#define LOG10_2_HIGH 0x1.344p-2f /* 11 bits */
#define LOG10_2_LOW 0x1.3509f8p-18f
enum { EXP_LEAST = -104, EXP_MOST = 89, EXPM1_LEAST = -20, TANH_MOST = 10, MISH_MOST = 20 };
static const REAL EXP_TAIL[] = {0.5f, 1.6666666e-01f, 4.166636e-02f, 8.33339e-03f, 1.3940822e-03f, 1.9845874e-04f};
static const REAL LOG_TAIL[] = {6.6666776e-01f, 3.9977553e-01f, 2.9872093e-01f};
static const REAL ERF_TAIL[] = {1.2837917e-01f, -3.761263e-01f,   1.1283623e-01f, -2.6855368e-02f,
                                5.1909667e-03f, -8.0269476e-04f, 7.8711484e-05f};
static const REAL ERFC_TAIL[] = {1.2769784e+00f,  -9.276381e-02f,  -1.660302e-01f, 1.640502e-01f,  -5.422532e-02f,
                                 -8.013062e-03f, 8.762968e-03f, 1.1094227e-03f, -1.5150914e-03f};
#endif
#define LOG2_E ((REAL)1.4426950408889634074)
#define LOG10_E ((REAL)0.43429448190325182765)
#define LN2 ((REAL)0.69314718055994530942)
#define SQRT_HALF ((REAL)0.70710678118654752440)

typedef natural nvec __attribute__((vector_size(VECTOR_BYTES)));
#define SIGN_BIT ((natural)1 << (sizeof(REAL) * 8 - 1))
#define TERMS(tail) (int)(sizeof(tail) / sizeof *(tail))

INLINE vec v_abs(vec x) { return (vec)((nvec)x & ~SIGN_BIT); }

/* `size`, which is not negative, with the sign of x. */
INLINE vec v_signed(vec size, vec x) { return (vec)((nvec)size | ((nvec)x & SIGN_BIT)); }

/* The nearest integer, the even one of two; for |x| up to 2^(FRACTION_BITS - 1). */
INLINE vec v_nearest(vec x) { return (x + ROUNDER) - ROUNDER; }

/* 2^n of an integer n, where that is a normal number; anything else where it is not. */
INLINE vec v_power_of_2(vec n)
{
    return (vec)((nvec)(n + (ROUNDER + EXPONENT_BIAS)) << FRACTION_BITS);
}

/* v * 2^n, rounded once, for v of about 1 and integers n whose halves are exponents. */
INLINE vec v_scale(vec v, vec n)
{
#if VECTOR_BYTES == 64 && REAL_IS_DOUBLE
    return (vec)_mm512_scalef_pd((__m512d)v, (__m512d)n);
#elif VECTOR_BYTES == 64
    return (vec)_mm512_scalef_ps((__m512)v, (__m512)n);
#else
    vec half = v_nearest(n * (REAL)0.5);
    return v * v_power_of_2(half) * v_power_of_2(n - half);
#endif
}

/* tail[0] + tail[1] x + tail[2] x^2 + ... */
INLINE vec v_polynomial(vec x, const REAL *tail, int terms)
{
    vec sum = v_all(tail[terms - 1]);
#pragma GCC unroll 32
    for (int i = terms - 2; i >= 0; i--)
        sum = v_fma(sum, x, v_all(tail[i]));
    return sum;
}

/* Exponentials ----------------------------------------------------------------------------------------------------- */

/* exp(r) - 1 for |r| up to ln 2 / 2. */
INLINE vec exp_near_0(vec r) { return v_fma(r * r, v_polynomial(r, EXP_TAIL, TERMS(EXP_TAIL)), r); }

/* x less the nearest multiple of ln 2, which is the n-th. */
INLINE vec exp_rest(vec x, vec *n)
{
    *n = v_nearest(x * LOG2_E);
    return v_fma(*n, v_all(-LN2_LOW), v_fma(*n, v_all(-LN2_HIGH), x));
}

INLINE vec v_exp(vec x)
{
    vec n, r = exp_rest(v_at_most(v_at_least(x, v_all(EXP_LEAST)), v_all(EXP_MOST)), &n);
    return v_scale(1 + exp_near_0(r), n);
}

INLINE vec v_exp2(vec x)
{
    x = v_at_most(v_at_least(x, v_all(-2 * EXPONENT_BIAS)), v_all(EXPONENT_BIAS + 1));
    vec n = v_nearest(x);
    return v_scale(1 + exp_near_0((x - n) * LN2), n);
}

/* exp(x) - 1 for x from EXPM1_LEAST to EXP_MOST. Powers of two are halved, lest the largest overflow too early. */
INLINE vec expm1_inside(vec x)
{
    vec n, r = exp_rest(x, &n), y = exp_near_0(r), half = v_power_of_2(n - 1);
    vec other = v_fma(half, y, half - (REAL)0.5);
    return v_pick(n == 0, y, other + other);
}

/* The sign of x is put back for -0. */
INLINE vec v_expm1(vec x)
{
    vec y = expm1_inside(v_at_most(v_at_least(x, v_all(EXPM1_LEAST)), v_all(EXP_MOST)));
    return v_signed(y, x);
}

/* With t = exp(2|x|) - 1, tanh |x| = t / (t + 2) = 1 - 2 / (t + 2): the first form near 0, the second, whose error is
 * small beside 1, farther out. t is not rounded before 2 is added. */
INLINE vec v_tanh(vec x)
{
    vec n, y = exp_near_0(exp_rest(2 * v_at_most(v_abs(x), v_all(TANH_MOST)), &n)), power = v_power_of_2(n);
    vec t = v_fma(power, y, power - 1);
    ivec far = t > 2;
    vec ratio = v_pick(far, v_all(2), t) / v_fma(power, y, power + 1);
    return v_signed(v_pick(far, 1 - ratio, ratio), x);
}

/* x / (1 + exp(-y)): the power is taken of -|y|, which cannot overflow. */
INLINE vec v_gated(vec x, vec y)
{
    vec e = v_exp(-v_abs(y));
    return v_pick(y < 0, x * e, x) / (1 + e);
}

INLINE vec v_sigmoid(vec x) { return v_gated(v_all(1), x); }

/* Logarithms ------------------------------------------------------------------------------------------------------- */

/* x = 2^k (1 + f) for positive x; 1 + f is between the roots of 1/2 and 2. */
INLINE vec log_rest(vec x, vec *k)
{
    ivec small = x < SMALLEST_NORMAL;
    x = v_pick(small, x * ((natural)1 << (FRACTION_BITS + 1)), x);
    nvec bits = (nvec)x + (((natural)EXPONENT_BIAS << FRACTION_BITS) - SQRT_HALF_BITS);
    *k = (vec)((bits >> FRACTION_BITS) + (nvec)v_all(ROUNDER)) - (ROUNDER + EXPONENT_BIAS);
    *k = *k - v_pick(small, v_all(FRACTION_BITS + 1), v_all(0));
    return (vec)((bits & (((natural)1 << FRACTION_BITS) - 1)) + SQRT_HALF_BITS) - 1;
}

/* f - log(1 + f), small beside f, plus `more`, which is smaller still. */
INLINE vec log_lack(vec f, vec more)
{
    vec s = f / (2 + f), z = s * s, square = f * f * (REAL)0.5;
    vec tail = v_fma(z, v_polynomial(z, LOG_TAIL, TERMS(LOG_TAIL)), square);
    return square - v_fma(s, tail, more);
}

/* log(x) from `inside`, which is right where 0 < x < infinity. */
INLINE vec log_everywhere(vec x, vec inside)
{
    vec beyond = v_pick(x == 0, v_all(-(REAL)INFINITY), v_all((REAL)NAN));
    return v_pick(x > 0, v_pick(x == (REAL)INFINITY, x, inside), beyond);
}

INLINE vec v_log(vec x)
{
    vec k, f = log_rest(x, &k), lack = log_lack(f, k * LN2_LOW);
    return log_everywhere(x, v_fma(k, v_all(LN2_HIGH), f - lack));
}

INLINE vec v_log2(vec x)
{
    vec k, f = log_rest(x, &k);
    return log_everywhere(x, v_fma(f - log_lack(f, v_all(0)), v_all(LOG2_E), k));
}

INLINE vec v_log10(vec x)
{
    vec k, f = log_rest(x, &k), rest = v_fma(f - log_lack(f, v_all(0)), v_all(LOG10_E), k * LOG10_2_LOW);
    return log_everywhere(x, v_fma(k, v_all(LOG10_2_HIGH), rest));
}

/* log(1 + x) for finite x > -1: what the sum 1 + x lost is added to what remains of it. */
INLINE vec log1p_inside(vec x)
{
    vec sum = 1 + x, back = sum - 1, lost = (1 - (sum - back)) + (x - back);
    vec k, f = log_rest(sum, &k);
    f = v_fma(lost, v_power_of_2(-v_at_most(k, v_all(2 * FRACTION_BITS))), f);
    return v_fma(k, v_all(LN2_HIGH), f - log_lack(f, k * LN2_LOW));
}

/* The sign of x is put back for -0. */
INLINE vec v_log1p(vec x)
{
    vec beyond = v_pick(x == -1, v_all(-(REAL)INFINITY), v_all((REAL)NAN));
    vec y = v_pick(x > -1, v_pick(x == (REAL)INFINITY, x, log1p_inside(x)), beyond);
    return v_pick(x == 0, x, y);
}

/* log(1 + exp(-|x|)), for functions whose other part is linear. */
INLINE vec v_bend(vec x) { return log1p_inside(v_exp(-v_abs(x))); }

INLINE vec v_softplus(vec x) { return v_relu(x) + v_bend(x); }

INLINE vec v_log_sigmoid(vec x) { return v_at_most(x, v_all(0)) - v_bend(x); }

/* Others ----------------------------------------------------------------------------------------------------------- */

/* A function of the C library on each lane, for what is rare. */
INLINE vec v_each(REAL (*function)(REAL), vec x)
{
    REAL lane[LANES];
    v_store(lane, x);
    for (int i = 0; i < LANES; i++)
        lane[i] = function(lane[i]);
    return v_load(lane);
}

INLINE vec v_each_2(REAL (*function)(REAL, REAL), vec x, vec y)
{
    REAL lane[LANES], other[LANES];
    v_store(lane, x);
    v_store(other, y);
    for (int i = 0; i < LANES; i++)
        lane[i] = function(lane[i], other[i]);
    return v_load(lane);
}

/* erf(x) for |x| up to 0.88. */
INLINE vec erf_near_0(vec x) { return v_fma(x, v_polynomial(x * x, ERF_TAIL, TERMS(ERF_TAIL)), x); }

/* 1 - erf(t) for t from 0.87 on: (1 + 2t) exp(t^2) (1 - erf(t)) hardly varies and is a polynomial of
 * (t - k) / (t + k), see M. M. Shepherd and J. G. Laframboise, Mathematics of Computation 36 (1981) 249-253. What
 * squaring t loses is put back to first order. */
INLINE vec erfc_beyond(vec t)
{
    t = v_at_most(t, v_all(ERFC_MOST));
    vec square = t * t, lost = v_fma(t, t, -square), power = v_exp(-square);
    vec q = (t - ERFC_MIDDLE) / (t + ERFC_MIDDLE);
    return v_fma(power, -lost, power) * (v_polynomial(q, ERFC_TAIL, TERMS(ERFC_TAIL)) / (1 + 2 * t));
}

INLINE vec v_erf(vec x)
{
    vec t = v_abs(x);
    return v_pick(t < (REAL)0.875, erf_near_0(x), v_signed(1 - erfc_beyond(t), x));
}

INLINE vec v_erfc(vec x)
{
    vec t = v_abs(x), beyond = erfc_beyond(t);
    return v_pick(t < (REAL)0.875, 1 - erf_near_0(x), v_pick(x < 0, 2 - beyond, beyond));
}

/* x tanh(log(1 + e)) with e = exp(x); the hyperbolic tangent is y / (y + 2) with y = e (e + 2). */
INLINE vec v_mish(vec x)
{
    vec e = v_exp(v_at_most(x, v_all(MISH_MOST))), y = v_fma(e, e, e + e);
    return x * (y / (y + 2));
}

/* Integers: beyond 2^FRACTION_BITS every number is one. */
INLINE vec v_round(vec x)
{
    vec size = v_abs(x), y = (size + (REAL)((natural)1 << FRACTION_BITS)) - (REAL)((natural)1 << FRACTION_BITS);
    return v_pick(size < (REAL)((natural)1 << FRACTION_BITS), v_signed(y, x), x);
}

INLINE vec v_floor(vec x)
{
    vec y = v_round(x);
    return v_pick(y > x, y - 1, y);
}

INLINE vec v_ceil(vec x) { return -v_floor(-x); }

INLINE vec v_trunc(vec x) { return v_signed(v_floor(v_abs(x)), x); }

#endif
