/* Counting scores by 16 bits of their order. */
#ifndef SCANWISE_COUNT_H
#define SCANWISE_COUNT_H

#include "simd.h"
#include "variant.h"

#if REAL_IS_DOUBLE
typedef uint64_t whole;
#else
typedef uint32_t whole;
#endif

enum { KEY_BITS = 8 * sizeof(whole), DIGIT = 16, KEYS = 256 };

/* The bits of a number as a whole number of the same order; zeros of both signs are one. */
INLINE whole key_of(REAL number)
{
    const REAL value = number + 0;
    whole bits;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ ((0 - (bits >> (KEY_BITS - 1))) | (whole)1 << (KEY_BITS - 1));
}

/* By the highest digit, all of them. */
static void count_all(const REAL *from, long n, int64_t *bins)
{
    uint16_t digit[KEYS];
    for (long first = 0; first < n; first += KEYS) {
        const long count = n - first < KEYS ? n - first : KEYS;
        for (long i = 0; i < count; i++)
            digit[i] = (uint16_t)(key_of(from[first + i]) >> (KEY_BITS - DIGIT));
        for (long i = 0; i < count; i++)
            bins[digit[i]]++;
    }
}

/* By a lower digit, those with the prefix: keys in [low, low + size). They are few, and most blocks have none.
 *
 * Differences from `low` wrap round, so the keys below it have the highest ones: the maximum is the neighbour below, if
 * there is any. In the same way the minimum of the differences from the end is the neighbour above. */
static void count_few(const REAL *from, long n, int shift, whole prefix, int64_t *bins, uint64_t *edges)
{
    const whole size = (whole)1 << DIGIT << shift, low = prefix * size, end = low + size;
    whole below = 0, above = (whole)-1, key[KEYS];
    for (long first = 0; first < n; first += KEYS) {
        const long count = n - first < KEYS ? n - first : KEYS;
        whole any = 0;
        for (long i = 0; i < count; i++) {
            const whole k = key_of(from[first + i]), from_low = k - low, from_end = k - end;
            key[i] = from_low;
            below = from_low > below ? from_low : below;
            above = from_end < above ? from_end : above;
            any |= from_low < size;
        }
        for (long i = 0; any && i < count; i++)
            if (key[i] < size)
                bins[key[i] >> shift]++;
    }
    below += low;
    above += end;
    if (below < low && below > edges[0])
        edges[0] = below;
    if (above >= end && end && above < edges[1])
        edges[1] = above;
}

static void count(const void *from, long n, int shift, uint64_t prefix, int64_t *bins, uint64_t *edges)
{
    if (shift == KEY_BITS - DIGIT)
        count_all(from, n, bins);
    else
        count_few(from, n, shift, (whole)prefix, bins, edges);
}

#endif
