/* Handing scores to the user's memory. */
#ifndef SCANWISE_OUTPUT_H
#define SCANWISE_OUTPUT_H

#include "simd.h"
#include "variant.h"

/* memcpy that leaves the cache alone: whole vectors go past it, what is before and after them does not. */
static void copy_past_cache(const REAL *from, REAL *to, long count)
{
    long before = (long)(-(uintptr_t)to % VECTOR_BYTES / sizeof(REAL));
    if (before > count)
        before = count;
    const long vectors = (count - before) / LANES, after = count - before - vectors * LANES;
    memcpy(to, from, sizeof(REAL) * (size_t)before);
    from += before, to += before;
    for (long i = 0; i < vectors; i++, from += LANES, to += LANES)
        v_stream(to, v_load(from));
    memcpy(to, from, sizeof(REAL) * (size_t)after);
}

/* Of elements [first, first + length) of a row of scores, hand out every so-many-th of the whole row. */
static void output_row(const struct scores *out, const REAL *from, REAL *to, long first, long length)
{
    const long every = out->every;
    if (every == 1 && out->past_cache)
        copy_past_cache(from, to + first, length);
    else if (every == 1)
        memcpy(to + first, from, sizeof(REAL) * (size_t)length);
    else
        for (long n = (first + every - 1) / every; n * every < first + length; n++)
            to[n] = from[n * every - first];
}

#endif
