/* Functions of one number, or of two, on rows of neighbouring positions.
 *
 * Whole vectors are computed: the elements that fill the last one up to LANES are read and written, too. A result may
 * take the place of an argument.
 */
#ifndef SCANWISE_POINT_H
#define SCANWISE_POINT_H

#include <float.h>

#include "functions.h"
#include "operations.h"

#define HUGE_REAL ((REAL)INFINITY)
#define LARGEST_REAL (REAL_IS_DOUBLE ? DBL_MAX : FLT_MAX)

/* The REAL nearest to a setting. Larger ones are infinite, but the largest double stands for the largest REAL. */
static REAL point_number(double number)
{
    if (fabs(number) <= LARGEST_REAL || number != number)
        return (REAL)number;
    return (REAL)copysign(fabs(number) == DBL_MAX ? LARGEST_REAL : INFINITY, number);
}

/* x times the tanh form of the normal distribution function. */
INLINE vec v_gelu_tanh(vec x)
{
    const vec inner = v_fma(x * x * x, v_all((REAL)0.044715), x);
    return v_gated(x, inner * (REAL)1.5957691216057307117); /* 2 sqrt(2 / pi) */
}


INLINE vec v_logit(vec x) { return v_log(x / (1 - x)); }

/* The largest integer below x / y, whose remainder has the sign of y, as in Python; x / y where y is 0. */
INLINE vec v_div_floor(vec x, vec y)
{
    const vec rest = v_each_2(LIBM(fmod), x, y);
    vec quotient = (x - rest) / y;
    quotient = v_pick((rest != 0) & ((y < 0) ^ (rest < 0)), quotient - 1, quotient);
    const vec low = v_floor(quotient), whole = v_pick(quotient - low > (REAL)0.5, low + 1, low);
    return v_pick(y == 0, x / y, v_pick(quotient == 0, v_signed(v_all(0), x / y), whole));
}

/* dst = op(src), with the numbers that it needs in `args`, which has room for three. */
static void unary_row(int op, const double *args, const REAL *src, REAL *dst, long length)
{
    const vec a = v_all(point_number(args[0])), b = v_all(point_number(args[1])), c = v_all(point_number(args[2]));
    switch ((enum unary)op) {
#define ROW(name, formula)                                                                                             \
    case UNARY_##name:                                                                                                 \
        for (long i = 0; i < length; i += LANES) {                                                                     \
            const vec x = v_load(src + i);                                                                             \
            v_store(dst + i, formula);                                                                                 \
        }                                                                                                              \
        break;
        UNARY_OPERATIONS(ROW)
#undef ROW
    }
}

/* As binary_row; `step` is how far an argument moves on from one vector to the next: LANES, or 0 for the same again. */
static void binary_steps(int op, const double *args, const REAL *first, long first_step, const REAL *second,
                         long second_step, REAL *dst, long length)
{
    const vec a = v_all(point_number(args[0]));
    switch ((enum binary)op) {
#define ROW(name, formula)                                                                                             \
    case BINARY_##name:                                                                                                \
        for (long i = 0; i < length; i += LANES, first += first_step, second += second_step) {                         \
            const vec x = v_load(first), y = v_load(second);                                                           \
            v_store(dst + i, formula);                                                                                 \
        }                                                                                                              \
        break;
        BINARY_OPERATIONS(ROW)
#undef ROW
    }
}

/* dst = op(first, second). */
static void binary_row(int op, const double *args, const REAL *first, const REAL *second, REAL *dst, long length)
{
    binary_steps(op, args, first, LANES, second, LANES, dst, length);
}

/* dst = op(src, operand), or op(operand, src) if `swap`. */
static void vector_row(int op, const double *args, int swap, const REAL *src, REAL operand, REAL *dst, long length)
{
    REAL same[LANES];
    v_store(same, v_all(operand));
    if (swap)
        binary_steps(op, args, same, 0, src, LANES, dst, length);
    else
        binary_steps(op, args, src, LANES, same, 0, dst, length);
}

/* dst = scale * src + shift. */
static void affine_row(REAL scale, REAL shift, const REAL *src, REAL *dst, long length)
{
    for (long i = 0; i < length; i += LANES)
        v_store(dst + i, v_fma(v_all(scale), v_load(src + i), v_all(shift)));
}

#endif
