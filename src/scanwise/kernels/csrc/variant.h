/* The engine for one instruction set and number type, as the binding sees it. */
#ifndef SCANWISE_VARIANT_H
#define SCANWISE_VARIANT_H

#include "program.h"

/* An input of any number type and any strides: (items, channels, height, width); signals have height 1. */
struct input {
    const char *data;
    char type;                          /* as in the struct module: f, d, b, B, h, H, i, I, q, Q, ? */
    long items, channels, height, width;
    ptrdiff_t item_bytes, channel_bytes, row_bytes, column_bytes;
};

/* Scores of all outputs: (items, channels, count_y, count_x) each, without gaps. */
struct scores {
    void **data;                        /* by output of the program */
    long count_y, count_x;
    long every;                         /* along x, every so-many-th output that is computed is wanted */
    int past_cache;                     /* write so that they do not displace what is in the cache */
};

/* A part of the work, of one item: outputs [from, to) along the axis that carries, and [left, right) along x if that is
 * y. */
struct job {
    long item, from, to, left, right;
    int (*poll)(void *);                /* asked often; stop if it is not 0 */
    void *context;
};

struct scratch;

struct variant {
    long lanes, item;                   /* numbers in a vector; bytes of a number */
    /* Take the parameters of node `i`, (outs, terms) and (outs) for a convolution; 0 if memory is short. */
    int (*bind)(struct program *, long i, const void *first, const void *second);
    struct scratch *(*scratch_new)(const struct program *, long strip);
    void (*scratch_free)(struct scratch *);
    void (*run)(struct scratch *, const struct input *, const struct scores *, const struct job *);
    /* Fused multiply-adds in registers alone: `rounds` times the number of operations returned by NULL. */
    double (*peak)(long rounds, double *operations);
    /* Of `n` numbers whose bits of order above these 16 are `prefix`, count each value of the 16 above the lowest
     * `shift`. Of the others keep the neighbours, for all digits but the highest: the highest below, edges[0], and the
     * lowest above, edges[1]. */
    void (*count)(const void *from, long n, int shift, uint64_t prefix, int64_t *bins, uint64_t *edges);
};

#endif
