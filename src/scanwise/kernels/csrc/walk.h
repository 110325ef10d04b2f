/* Walking a program depth first: a strip or row of every map after the other, so that what is read is in the cache. */
#ifndef SCANWISE_WALK_H
#define SCANWISE_WALK_H

#include <stdlib.h>

#include "chan.h"
#include "conv.h"
#include "fold.h"
#include "input.h"
#include "output.h"
#include "point.h"

/* The memory of one map: for each class of rows a ring of rows [channels][classes along x][elements]. */
struct map {
    long plane;  /* elements from one class along x to the next */
    long row;    /* from one row of a ring to the next */
    long *front; /* by class along x: where the elements of a strip begin; before them, those kept */
    REAL **ring; /* by class of rows */
};

struct scratch {
    const struct program *program;
    long strip;
    struct map *map;   /* by node; empty for nodes that stand in another's memory */
    const REAL **from; /* where taps begin, for one row of one node */
};

static void scratch_free(struct scratch *w)
{
    for (long i = 0; w && w->map && i < w->program->nodes; i++) {
        for (long c = 0; w->map[i].ring && c < w->program->node[i].classes_y; c++)
            free(w->map[i].ring[c]);
        free(w->map[i].ring);
        free(w->map[i].front);
    }
    if (w) {
        free(w->map);
        free(w->from);
    }
    free(w);
}

/* Each ring has memory of its own, so that tools that watch memory see when it is left. */
static int map_new(const struct program *p, const struct node *d, long strip, struct map *map)
{
    for (long c = 0; c < d->classes_y; c++)
        if (map_elements(p, d, c, strip, LANES) > 1e15)
            return 0;
    map->plane = plane_length(p, d, strip, LANES);
    map->row = d->channels * d->classes_x * map->plane;
    map->front = calloc((size_t)d->classes_x, sizeof *map->front);
    map->ring = calloc((size_t)d->classes_y, sizeof *map->ring);
    if (!map->front || !map->ring)
        return 0;
    for (long c = 0; c < d->classes_x; c++)
        map->front[c] = plane_front(p, d, c, LANES);
    for (long c = 0; c < d->classes_y; c++) {
        const size_t bytes = (size_t)d->ring[c] * (size_t)map->row * sizeof(REAL);
        if (posix_memalign((void **)&map->ring[c], 64, bytes)) {
            map->ring[c] = NULL;
            return 0;
        }
    }
    return 1;
}

/* Set all bytes of all maps. */
static void fill(struct scratch *w, int byte)
{
    for (long i = 0; i < w->program->nodes; i++)
        for (long c = 0; w->map[i].ring && c < w->program->node[i].classes_y; c++)
            memset(w->map[i].ring[c], byte, (size_t)w->program->node[i].ring[c] * (size_t)w->map[i].row * sizeof(REAL));
}

static struct scratch *scratch_new(const struct program *p, long strip)
{
    struct scratch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->program = p;
    w->strip = strip;
    w->map = calloc((size_t)p->nodes, sizeof *w->map);
    w->from = calloc((size_t)p->most_taps, sizeof *w->from);
    int whole = w->map && w->from;
    for (long i = 0; i < p->nodes && whole; i++)
        if (p->node[i].map == i)
            whole = map_new(p, &p->node[i], strip, &w->map[i]);
    if (!whole) {
        scratch_free(w);
        return NULL;
    }
    fill(w, 0); /* the ends of rows are computed with: they should hold no denormal numbers, which are slow */
    return w;
}

/* Row `n` of a class of rows, all its channels; `d` is the node whose own memory `m` is. */
static REAL *row_of(const struct map *m, const struct node *d, long class_y, long n)
{
    return m->ring[class_y] + n % d->ring[class_y] * m->row;
}

/* A row segment that is to be computed: element `skip` of a strip and so on, of class (y, x), row n. */
struct place {
    long class_y, class_x, n, skip, length;
};

/* Where the taps of a read begin, in channel 0 of its source. */
static long find_taps(const struct scratch *w, const struct node *d, const struct read *read, const struct place *at,
                      const REAL **from)
{
    const struct program *p = w->program;
    const struct node *s = &p->node[read->source];
    const struct map *m = &w->map[s->map];
    for (long y = 0; y < read->taps_y; y++) {
        const long i = at->class_y * read->taps_y + y;
        const long class_y = (long)read->plane_y[i];
        const REAL *row = row_of(m, &p->node[s->map], class_y, at->n + (long)read->shift_y[i]) + at->skip;
        for (long x = 0; x < read->taps_x; x++) {
            const long k = at->class_x * read->taps_x + x, plane = (long)read->plane_x[k];
            long element = (long)read->shift_x[k];
            if (p->carry_x)
                element += (long)(d->ahead_x[at->class_x] - s->ahead_x[plane]);
            *from++ = row + plane * m->plane + m->front[plane] + element;
        }
    }
    return read->taps_y * read->taps_x;
}

static void run_conv(struct scratch *w, const struct node *d, const struct place *at, REAL *dst, ptrdiff_t step)
{
    const struct node *s = &w->program->node[d->read->source];
    const ptrdiff_t channel = s->classes_x * w->map[s->map].plane;
    const long taps = find_taps(w, d, d->read, at, w->from);
    const long ins = s->channels / d->size, outs = d->channels / d->size, terms = ins * taps;
    for (long c = 1; c < ins; c++)
        for (long k = 0; k < taps; k++)
            w->from[c * taps + k] = w->from[k] + c * channel;
    const struct sum sum = {terms, w->from, step, (int)d->flag};
    for (long g = 0; g < d->size; g++)
        conv_row(&sum, (const REAL *)d->first + g * outs * terms, (const REAL *)d->second + g * outs, outs,
                 g * ins * channel, dst + g * outs * step, at->length);
}

/* Pools: the taps of a channel are folded, those of several reads one after the other. */
static void run_fold(struct scratch *w, const struct node *d, const struct place *at, REAL *dst, ptrdiff_t step)
{
    long taps = 0;
    for (long i = 0; i < d->reads; i++)
        taps += find_taps(w, d, &d->read[i], at, w->from + taps);
    for (long c = 0; c < d->channels; c++) {
        fold_row(d->op, w->from, taps, dst + c * step, at->length);
        for (long i = 0, k = 0; i < d->reads; i++) {
            const struct node *s = &w->program->node[d->read[i].source];
            for (const long end = k + d->read[i].taps_y * d->read[i].taps_x; k < end; k++)
                w->from[k] += s->classes_x * w->map[s->map].plane;
        }
    }
}

static void run_spread(struct scratch *w, const struct node *d, const struct place *at, REAL *dst, ptrdiff_t step)
{
    const struct node *s = &w->program->node[d->read[0].source], *means = &w->program->node[d->read[1].source];
    const REAL *mean;
    const long taps = find_taps(w, d, &d->read[0], at, w->from);
    find_taps(w, d, &d->read[1], at, &mean);
    for (long c = 0; c < d->channels; c++) {
        spread_row((int)d->flag, d->args[0], w->from, taps, mean, dst + c * step, at->length);
        mean += means->classes_x * w->map[means->map].plane;
        for (long k = 0; k < taps; k++)
            w->from[k] += s->classes_x * w->map[s->map].plane;
    }
}

/* Channels chosen from any reads, at any of their taps. */
static void run_copy(struct scratch *w, const struct node *d, const struct place *at, REAL *dst, ptrdiff_t step)
{
    for (long i = 0; i < d->reads; i++) {
        const struct read *read = &d->read[i];
        const struct node *s = &w->program->node[read->source];
        const ptrdiff_t channel = s->classes_x * w->map[s->map].plane;
        find_taps(w, d, read, at, w->from);
        for (long c = 0; c < d->channels; c++) {
            const int64_t *pick = d->picks + 3 * c;
            if (pick[0] == i)
                memcpy(dst + c * step, w->from[pick[2]] + pick[1] * channel, sizeof(REAL) * (size_t)at->length);
        }
    }
    for (long c = 0; c < d->channels; c++)
        if (d->picks[3 * c] < 0)
            memset(dst + c * step, 0, sizeof(REAL) * (size_t)at->length);
}

static void run_chan(struct scratch *w, const struct node *d, const struct place *at, REAL *dst, ptrdiff_t step)
{
    const struct node *s = &w->program->node[d->read->source];
    const ptrdiff_t channel = s->classes_x * w->map[s->map].plane;
    const REAL *src;
    find_taps(w, d, d->read, at, &src);
    const long given = d->flag ? d->size : 1;
    for (long run = 0; run < s->channels / d->size; run++)
        chan_row(d->op, d->args, d->size, src + run * d->size * channel, channel, dst + run * given * step, step,
                 at->length);
}

/* One value from the value, or the two, at the same place. */
static void run_point(struct scratch *w, const struct node *d, const struct place *at, REAL *dst, ptrdiff_t step)
{
    const REAL *a, *b = NULL;
    const struct node *s = &w->program->node[d->read->source];
    const ptrdiff_t channel = s->classes_x * w->map[s->map].plane;
    ptrdiff_t other = 0;
    find_taps(w, d, &d->read[0], at, &a);
    if (d->kind == BINARY) {
        const struct node *second = &w->program->node[d->read[1].source];
        find_taps(w, d, &d->read[1], at, &b);
        other = second->classes_x * w->map[second->map].plane;
    }
    const REAL *first = d->first, *second = d->second;
    for (long c = 0; c < d->channels; c++, a += channel, dst += step) {
        if (d->kind == UNARY)
            unary_row(d->op, d->args, a, dst, at->length);
        else if (d->kind == AFFINE)
            affine_row(first[c], second[c], a, dst, at->length);
        else if (d->kind == VECTOR)
            vector_row(d->op, d->args, (int)d->flag, a, first[c], dst, at->length);
        else
            binary_row(d->op, d->args, a, b + c * other, dst, at->length);
    }
}

static void run_node(struct scratch *w, const struct input *in, long item, long i, const struct place *at, long first)
{
    const struct program *p = w->program;
    const struct node *d = &p->node[i];
    const struct map *m = &w->map[d->map];
    const ptrdiff_t step = d->classes_x * m->plane;
    REAL *dst = row_of(m, &p->node[d->map], at->class_y, at->n) + at->class_x * m->plane + m->front[at->class_x] +
                at->skip;
    switch (d->kind) {
    case INPUT:
        for (long c = 0; c < d->channels; c++)
            input_row(in, item, c, (long)p->first_y[at->class_y] + at->n * p->hop_y,
                      (long)p->first_x[at->class_x] + first * p->hop_x, p->hop_x, dst + c * step, at->length);
        break;
    case CONV: run_conv(w, d, at, dst, step); break;
    case FOLD: run_fold(w, d, at, dst, step); break;
    case SPREAD: run_spread(w, d, at, dst, step); break;
    case COPY: run_copy(w, d, at, dst, step); break;
    case CHAN: run_chan(w, d, at, dst, step); break;
    default: run_point(w, d, at, dst, step);
    }
}

/* Hand out elements [first, first + length) of every output, which stand `skip` elements into the strip. */
static void give(const struct scratch *w, const struct scores *out, long item, long row, long first, long skip,
                 long length)
{
    const struct program *p = w->program;
    for (long i = 0; i < p->outputs; i++) {
        const struct output *o = &p->output[i];
        const struct node *d = &p->node[o->node];
        const struct map *m = &w->map[d->map];
        const REAL *from = row_of(m, &p->node[d->map], o->plane_y, row + o->shift_y) + o->plane_x * m->plane +
                           m->front[o->plane_x] + o->shift_x + skip;
        if (p->carry_x)
            from -= d->ahead_x[o->plane_x];
        REAL *to = (REAL *)out->data[i] + (item * d->channels * out->count_y + row) * out->count_x;
        for (long c = 0; c < d->channels; c++, from += d->classes_x * m->plane, to += out->count_y * out->count_x)
            output_row(out, from, to, first, length);
    }
}

/* Before the next strip: move what is still read to before its beginning. */
static void keep_tails(struct scratch *w)
{
    for (long i = 0; i < w->program->nodes; i++) {
        const struct node *d = &w->program->node[i];
        const struct map *m = &w->map[i];
        for (long c = 0; d->map == i && c < d->classes_x; c++) {
            const long tail = (long)(d->ahead_x[c] - d->keep[c]);
            for (long k = 0; tail && k < d->channels; k++) {
                REAL *to = m->ring[0] + (k * d->classes_x + c) * m->plane + m->front[c] - tail;
                memmove(to, to + w->strip, sizeof(REAL) * (size_t)tail);
            }
        }
    }
}

/* A signal: strip after strip. Strips begin so early that all that output `from` reads is computed on the way. */
static void run_signal(struct scratch *w, const struct input *in, const struct scores *out, const struct job *job)
{
    const struct program *p = w->program;
    const long strip = w->strip;
    for (long start = job->from - (p->warm_up + strip - 1) / strip * strip; start < job->to; start += strip) {
        if (job->poll(job->context))
            return;
        const long stop = start + strip < job->to ? start + strip : job->to;
        for (long i = 0; i < p->nodes; i++)
            for (long c = 0; c < p->node[i].classes_x; c++) {
                const long ahead = (long)p->node[i].ahead_x[c];
                const long first = start + ahead < job->from ? job->from : start + ahead;
                const struct place at = {0, c, 0, first - start - ahead, stop + ahead - first};
                if (at.length > 0)
                    run_node(w, in, job->item, i, &at, first);
            }
        if (stop > job->from) {
            const long first = start < job->from ? job->from : start;
            give(w, out, job->item, 0, first, first - start, stop - first);
        }
        if (stop < job->to)
            keep_tails(w);
    }
}

/* An image: row after row of one column. */
static void run_image(struct scratch *w, const struct input *in, const struct scores *out, const struct job *job)
{
    const struct program *p = w->program;
    for (long row = job->from - p->warm_up; row < job->to; row++) {
        if (job->poll(job->context))
            return;
        for (long i = 0; i < p->nodes; i++)
            for (long y = 0; y < p->node[i].classes_y; y++) {
                const long n = row + (long)p->node[i].ahead_y[y];
                for (long x = 0; n >= job->from && x < p->node[i].classes_x; x++) {
                    const struct place at = {y, x, n, 0, job->right - job->left + (long)p->node[i].ahead_x[x]};
                    run_node(w, in, job->item, i, &at, job->left);
                }
            }
        if (row >= job->from)
            give(w, out, job->item, row, job->left, 0, job->right - job->left);
    }
}

#endif
