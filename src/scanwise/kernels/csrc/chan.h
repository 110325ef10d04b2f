/* Functions of a run of channels at one position: normalisations, which give as many, and reductions, which give one.
 *
 * Positions are the outer loop and channels the inner one, so that what is read twice is still in the cache. Whole
 * vectors are computed. A normalisation may take the place of its source.
 */
#ifndef SCANWISE_CHAN_H
#define SCANWISE_CHAN_H

#include "fold.h"

/* The largest of the terms if `most`, else the smallest. */
INLINE vec terms_extreme(const struct terms *t, int most, long i)
{
    vec y = term(t, 0, i);
    for (long k = 1; k < t->count; k++)
        y = most ? v_max(y, term(t, k, i)) : v_min(y, term(t, k, i));
    return y;
}

INLINE vec terms_mean(const struct terms *t, long i)
{
    return terms_sum(t, PLAIN, v_all(0), i) / v_all((REAL)t->count);
}

INLINE vec terms_variance(const struct terms *t, vec mean, vec divisor, long i)
{
    return terms_sum(t, SQUARED_DISTANCE, mean, i) / divisor;
}

/* log(sum of exp(term)). The largest is taken out, so that nothing overflows; an infinite one has no differences. */
INLINE vec terms_logsumexp(const struct terms *t, long i)
{
    const vec most = terms_extreme(t, 1, i), origin = v_pick(v_abs(most) == (REAL)INFINITY, v_all(0), most);
    return origin + v_log(terms_sum(t, EXPONENTIAL, origin, i));
}

/* exp(term) / sum of exp(term); the powers wait in dst for their sum. */
INLINE void chan_softmax(const struct terms *t, REAL *dst, ptrdiff_t plane, long i)
{
    const vec most = terms_extreme(t, 1, i);
    for (long k = 0; k < t->count; k++)
        v_store(dst + k * plane + i, v_exp(term(t, k, i) - most));
    const struct terms powers = {NULL, dst, plane, t->count};
    const vec sum = terms_sum(&powers, PLAIN, v_all(0), i);
    for (long k = 0; k < t->count; k++)
        v_store(dst + k * plane + i, term(&powers, k, i) / sum);
}

INLINE void chan_log_softmax(const struct terms *t, REAL *dst, ptrdiff_t plane, long i)
{
    const vec most = terms_extreme(t, 1, i), rest = v_log(terms_sum(t, EXPONENTIAL, most, i));
    for (long k = 0; k < t->count; k++)
        v_store(dst + k * plane + i, term(t, k, i) - most - rest);
}

INLINE void chan_norm(const struct terms *t, vec epsilon, REAL *dst, ptrdiff_t plane, long i)
{
    const vec mean = terms_mean(t, i), variance = terms_variance(t, mean, v_all((REAL)t->count), i);
    const vec scale = 1 / v_sqrt(variance + epsilon);
    for (long k = 0; k < t->count; k++)
        v_store(dst + k * plane + i, (term(t, k, i) - mean) * scale);
}

/* dst = op over `size` channels of src. The number is what norm adds to the variance, or what var and std divide by. */
static void chan_row(int op, const double *args, long size, const REAL *src, ptrdiff_t src_plane, REAL *dst,
                     ptrdiff_t dst_plane, long length)
{
    const struct terms t = {NULL, src, src_plane, size};
    const vec number = v_all((REAL)args[0]);
    switch ((enum chan)op) {
#define CASE(name, statement)                                                                                          \
    case CHAN_##name:                                                                                                  \
        for (long i = 0; i < length; i += LANES)                                                                       \
            statement;                                                                                                 \
        break;
        CASE(softmax, chan_softmax(&t, dst, dst_plane, i))
        CASE(log_softmax, chan_log_softmax(&t, dst, dst_plane, i))
        CASE(norm, chan_norm(&t, number, dst, dst_plane, i))
        CASE(max, v_store(dst + i, terms_extreme(&t, 1, i)))
        CASE(min, v_store(dst + i, terms_extreme(&t, 0, i)))
        CASE(sum, v_store(dst + i, terms_sum(&t, PLAIN, v_all(0), i)))
        CASE(mean, v_store(dst + i, terms_mean(&t, i)))
        CASE(var, v_store(dst + i, terms_variance(&t, terms_mean(&t, i), number, i)))
        CASE(std, v_store(dst + i, v_sqrt(terms_variance(&t, terms_mean(&t, i), number, i))))
        CASE(logsumexp, v_store(dst + i, terms_logsumexp(&t, i)))
#undef CASE
    }
}

#endif
