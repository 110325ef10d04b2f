/* Pools: many values folded into one, position by position. Whole vectors are computed. */
#ifndef SCANWISE_FOLD_H
#define SCANWISE_FOLD_H

#include <stddef.h>

#include "functions.h"
#include "operations.h"

/* log(exp(x) + exp(y)), where equal infinities have no difference. */
INLINE vec v_logaddexp(vec x, vec y)
{
    const vec sum = v_max(x, y) + v_bend(x - y);
    return v_pick((x == y) & (v_abs(x) == (REAL)INFINITY), x, sum);
}

INLINE vec fold_two(enum fold op, vec x, vec y)
{
    switch (op) {
#define CASE(name, formula)                                                                                            \
    case FOLD_##name: return formula;
        FOLD_OPERATIONS(CASE)
#undef CASE
    }
    return x;
}

/* Pools of 2, and of 2 x 2, are common and have loops of their own; the others go from left to right. */
INLINE void fold_rows(enum fold op, const REAL *const *from, long taps, REAL *dst, long length)
{
    if (taps == 2) {
        const REAL *p = from[0], *q = from[1];
        for (long i = 0; i < length; i += LANES)
            v_store(dst + i, fold_two(op, v_load(p + i), v_load(q + i)));
    } else if (taps == 4) {
        const REAL *p = from[0], *q = from[1], *r = from[2], *s = from[3];
        for (long i = 0; i < length; i += LANES)
            v_store(dst + i, fold_two(op, fold_two(op, v_load(p + i), v_load(q + i)),
                                      fold_two(op, v_load(r + i), v_load(s + i))));
    } else {
        for (long i = 0; i < length; i += LANES) {
            vec all = v_load(from[0] + i);
            for (long k = 1; k < taps; k++)
                all = fold_two(op, all, v_load(from[k] + i));
            v_store(dst + i, all);
        }
    }
}

/* dst = the values of `taps` rows, folded. */
static void fold_row(int op, const REAL *const *from, long taps, REAL *dst, long length)
{
    switch ((enum fold)op) {
#define CASE(name, formula)                                                                                            \
    case FOLD_##name: fold_rows(FOLD_##name, from, taps, dst, length); break;
        FOLD_OPERATIONS(CASE)
#undef CASE
    }
}

/* Numbers to add up: rows that begin anywhere, `from`, or if that is NULL `count` channels from `first` on. */
struct terms {
    const REAL *const *from;
    const REAL *first;
    ptrdiff_t plane;
    long count;
};

enum summand { PLAIN, SQUARED_DISTANCE, EXPONENTIAL };
enum { RUN = 16 }; /* terms that are added in one go; more would lose accuracy */

/* Term k at the positions from i on. */
INLINE vec term(const struct terms *t, long k, long i)
{
    return v_load(t->from ? t->from[k] + i : t->first + k * t->plane + i);
}

/* The sum of the terms, of their squared distances from `origin`, or of exp(term - origin). */
INLINE vec terms_sum(const struct terms *t, enum summand what, vec origin, long i)
{
    vec total = v_all(0);
    for (long k = 0; k < t->count;) {
        vec sum = v_all(0);
        for (const long stop = t->count - k > RUN ? k + RUN : t->count; k < stop; k++) {
            const vec x = what == PLAIN ? term(t, k, i) : term(t, k, i) - origin;
            sum = what == SQUARED_DISTANCE ? v_fma(x, x, sum) : sum + (what == EXPONENTIAL ? v_exp(x) : x);
        }
        total = total + sum;
    }
    return total;
}

/* dst = the sum of squared distances of the taps from their mean, divided by `divisor`; its root if `root`. */
static void spread_row(int root, double divisor, const REAL *const *from, long taps, const REAL *mean, REAL *dst,
                       long length)
{
    const struct terms t = {from, NULL, 0, taps};
    for (long i = 0; i < length; i += LANES) {
        const vec variance = terms_sum(&t, SQUARED_DISTANCE, v_load(mean + i), i) / v_all((REAL)divisor);
        v_store(dst + i, root ? v_sqrt(variance) : variance);
    }
}

#endif
