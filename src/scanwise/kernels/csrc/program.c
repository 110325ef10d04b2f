/* Programs from tables of integers; nothing in a table is trusted. */
#include "program.h"

#include <stdlib.h>

#include "operations.h"

#define MOST (1L << 31) /* of anything that is counted, so that products of two do not overflow */

/* Reads a table from the front; `bad` once anything was missing or out of range. */
struct reader {
    const int64_t *at, *end;
    int bad;
};

static long next(struct reader *r, long least, long most)
{
    if (r->bad || r->at == r->end || *r->at < least || *r->at > most) {
        r->bad = 1;
        return least;
    }
    return (long)*r->at++;
}

/* `count` numbers as they stand. */
static const int64_t *several(struct reader *r, long count, long least, long most)
{
    const int64_t *first = r->at;
    if (count > r->end - r->at)
        r->bad = 1;
    for (long i = 0; i < count && !r->bad; i++)
        next(r, least, most);
    return first;
}

static void read_taps(struct reader *r, const struct program *p, const struct node *d, struct read *read, long place)
{
    read->source = next(r, 0, place - 1);
    read->taps_y = next(r, 1, MOST);
    read->taps_x = next(r, 1, MOST);
    if (r->bad || read->taps_y > (r->end - r->at) / d->classes_y || read->taps_x > (r->end - r->at) / d->classes_x) {
        r->bad = 1;
        return;
    }
    const struct node *s = &p->node[read->source];
    read->plane_y = several(r, d->classes_y * read->taps_y, 0, s->classes_y - 1);
    read->shift_y = several(r, d->classes_y * read->taps_y, 0, MOST);
    read->plane_x = several(r, d->classes_x * read->taps_x, 0, s->classes_x - 1);
    read->shift_x = several(r, d->classes_x * read->taps_x, 0, MOST);
}

/* Every element that is read must have been computed, and not yet forgotten. */
static int reads_what_is_there(const struct program *p, const struct node *d, const struct read *read)
{
    const struct node *s = &p->node[read->source];
    for (long i = 0; i < d->classes_y * read->taps_y; i++) {
        const long plane = read->plane_y[i], row = d->ahead_y[i / read->taps_y] + read->shift_y[i];
        if (row > s->ahead_y[plane] || row <= s->ahead_y[plane] - s->ring[plane])
            return 0;
    }
    for (long i = 0; i < d->classes_x * read->taps_x; i++) {
        const long plane = read->plane_x[i], element = d->ahead_x[i / read->taps_x] + read->shift_x[i];
        if (element > s->ahead_x[plane] || (p->carry_x && element < s->keep[plane]))
            return 0;
    }
    return 1;
}

/* A node in the memory of its source must have its classes, and be the source's only reader (which is not checked). */
static int fits_in_place(const struct program *p, const struct node *d, long place)
{
    if (d->map == place)
        return 1;
    const struct node *s = &p->node[d->map];
    if (!d->reads || p->node[d->read[0].source].map != d->map || s->channels != d->channels ||
        s->classes_y != d->classes_y || s->classes_x != d->classes_x || d->kind == CONV || d->kind == FOLD ||
        d->kind == SPREAD || d->kind == COPY || (d->kind == CHAN && !d->flag))
        return 0;
    for (long c = 0; c < d->classes_y; c++)
        if (d->ahead_y[c] != s->ahead_y[c] || d->ring[c] != s->ring[c] || d->read[0].plane_y[c] != c ||
            d->read[0].shift_y[c])
            return 0;
    for (long c = 0; c < d->classes_x; c++)
        if (d->ahead_x[c] != s->ahead_x[c] || d->keep[c] != s->keep[c] || d->read[0].plane_x[c] != c ||
            d->read[0].shift_x[c])
            return 0;
    return 1;
}

#define COUNT(names) (int)(sizeof(names) / sizeof *(names) - 1)

/* Codes below this number are operations of a kind. */
static int operations_of(int kind)
{
    switch (kind) {
    case UNARY: return COUNT(UNARY_NAMES);
    case BINARY: case VECTOR: return COUNT(BINARY_NAMES);
    case FOLD: return COUNT(FOLD_NAMES);
    case CHAN: return COUNT(CHAN_NAMES);
    default: return 1;
    }
}

static int channels_fit(const struct program *p, const struct node *d)
{
    const struct node *s = d->reads ? &p->node[d->read[0].source] : NULL;
    const long taps = d->reads ? d->read[0].taps_y * d->read[0].taps_x : 0;
    const long reads = d->kind == INPUT ? 0 : d->kind == BINARY || d->kind == SPREAD ? 2 : 1;
    if (d->kind == COPY || d->kind == FOLD ? d->reads < 1 : d->reads != reads)
        return 0;
    for (long i = 0; i < d->reads; i++) {
        const struct node *source = &p->node[d->read[i].source];
        const long own = d->read[i].taps_y * d->read[i].taps_x;
        if (d->kind != COPY && d->kind != CONV && d->kind != CHAN && source->channels != d->channels)
            return 0;
        if (d->kind != COPY && d->kind != CONV && d->kind != FOLD && !(d->kind == SPREAD && i == 0) && own != 1)
            return 0;
    }
    if (d->kind == CONV)
        return d->channels % d->size == 0 && s->channels % d->size == 0 && taps <= MOST / s->channels &&
               d->channels <= (1L << 48) / program_terms(p, d);
    if (d->kind == CHAN)
        return d->flag == (d->op == CHAN_softmax || d->op == CHAN_log_softmax || d->op == CHAN_norm) &&
               s->channels % d->size == 0 && d->channels == (d->flag ? s->channels : s->channels / d->size);
    for (long c = 0; c < d->channels && d->kind == COPY; c++) {
        const int64_t *pick = d->picks + 3 * c;
        if (pick[0] < -1 || pick[0] >= d->reads)
            return 0;
        if (pick[0] < 0)
            continue;
        const struct read *read = &d->read[pick[0]];
        if (pick[1] < 0 || pick[1] >= p->node[read->source].channels || pick[2] < 0 ||
            pick[2] >= read->taps_y * read->taps_x)
            return 0;
    }
    return 1;
}

static void read_node(struct reader *r, struct program *p, long place)
{
    struct node *d = &p->node[place];
    d->kind = (int)next(r, place ? CONV : INPUT, place ? KINDS - 1 : INPUT);
    d->op = (int)next(r, 0, operations_of(d->kind) - 1);
    d->channels = next(r, 1, MOST);
    d->size = next(r, 1, MOST);
    d->flag = next(r, 0, 1);
    d->map = next(r, 0, place);
    d->classes_y = next(r, 1, p->carry_x ? 1 : MOST);
    d->classes_x = next(r, 1, MOST);
    d->reads = next(r, 0, r->end - r->at);
    d->ahead_y = several(r, d->classes_y, 0, p->carry_x ? 0 : MOST);
    d->ring = several(r, d->classes_y, 1, p->carry_x ? 1 : MOST);
    d->ahead_x = several(r, d->classes_x, 0, MOST);
    d->keep = several(r, d->classes_x, 0, MOST);
    for (long c = 0; c < d->classes_x && !r->bad; c++)
        r->bad |= d->keep[c] > d->ahead_x[c];
    d->read = r->bad ? NULL : calloc((size_t)d->reads + 1, sizeof *d->read);
    r->bad |= !d->read;
    for (long i = 0; i < d->reads && !r->bad; i++) {
        read_taps(r, p, d, &d->read[i], place);
        r->bad = r->bad || !reads_what_is_there(p, d, &d->read[i]);
    }
    if (d->kind == COPY && !r->bad)
        d->picks = several(r, 3 * d->channels, -1, MOST);
    r->bad = r->bad || p->node[d->map].map != d->map || !channels_fit(p, d) || !fits_in_place(p, d, place);
}

static void read_output(struct reader *r, const struct program *p, struct output *o)
{
    o->node = next(r, 0, p->nodes - 1);
    const struct node *d = &p->node[o->node];
    o->plane_y = next(r, 0, d->classes_y - 1);
    o->shift_y = next(r, 0, d->ahead_y[o->plane_y]);
    o->plane_x = next(r, 0, d->classes_x - 1);
    o->shift_x = next(r, p->carry_x ? d->keep[o->plane_x] : 0, d->ahead_x[o->plane_x]);
    r->bad = r->bad || o->shift_y <= d->ahead_y[o->plane_y] - d->ring[o->plane_y];
}

/* What the walk needs of all nodes together. */
static void measure(struct program *p)
{
    p->most_taps = 1;
    for (long i = 0; i < p->nodes; i++) {
        const struct node *d = &p->node[i];
        long taps = 0;
        for (long k = 0; k < d->reads; k++)
            taps += d->read[k].taps_y * d->read[k].taps_x;
        if (d->kind == CONV)
            taps = program_terms(p, d);
        if (taps > p->most_taps)
            p->most_taps = taps;
        const int64_t *ahead = p->carry_x ? d->ahead_x : d->ahead_y;
        for (long c = 0; c < (p->carry_x ? d->classes_x : d->classes_y); c++)
            if (ahead[c] > p->warm_up)
                p->warm_up = (long)ahead[c];
    }
}

struct program *program_new(const int64_t *table, size_t length, const double *args, size_t args_length)
{
    struct program *p = calloc(1, sizeof *p);
    if (!p || !(p->table = malloc((length + 1) * sizeof *table))) {
        free(p);
        return NULL;
    }
    for (size_t i = 0; i < length; i++)
        p->table[i] = table[i];
    struct reader r = {p->table, p->table + length, 0};
    p->carry_x = (int)next(&r, 0, 1);
    p->nodes = next(&r, 1, (long)length);
    p->outputs = next(&r, 1, (long)length);
    p->hop_y = next(&r, 1, MOST);
    p->hop_x = next(&r, 1, MOST);
    p->node = r.bad ? NULL : calloc((size_t)p->nodes, sizeof *p->node);
    p->output = r.bad ? NULL : calloc((size_t)p->outputs, sizeof *p->output);
    r.bad = r.bad || !p->node || !p->output || args_length != 4 * (size_t)p->nodes;
    for (long i = 0; i < p->nodes && !r.bad; i++) {
        read_node(&r, p, i);
        for (int k = 0; k < 4; k++)
            p->node[i].args[k] = args[4 * i + k];
    }
    for (long i = 0; i < p->outputs && !r.bad; i++)
        read_output(&r, p, &p->output[i]);
    if (!r.bad) {
        p->first_y = several(&r, p->node->classes_y, -MOST, MOST);
        p->first_x = several(&r, p->node->classes_x, -MOST, MOST);
    }
    if (r.bad || r.at != r.end) {
        program_free(p);
        return NULL;
    }
    measure(p);
    return p;
}

void program_free(struct program *p)
{
    for (long i = 0; p->node && i < p->nodes; i++) {
        free(p->node[i].read);
        free(p->node[i].first);
        free(p->node[i].second);
    }
    free(p->node);
    free(p->output);
    free(p->table);
    free(p);
}

long program_terms(const struct program *p, const struct node *d)
{
    return p->node[d->read->source].channels / d->size * d->read->taps_y * d->read->taps_x;
}

static long whole(long elements, long lanes) { return (elements + lanes - 1) / lanes * lanes; }

long plane_front(const struct program *p, const struct node *d, long class_x, long lanes)
{
    return p->carry_x ? whole((long)(d->ahead_x[class_x] - d->keep[class_x]), lanes) : 0;
}

long plane_length(const struct program *p, const struct node *d, long strip, long lanes)
{
    long most = 0;
    for (long c = 0; c < d->classes_x; c++) {
        const long elements = strip + (p->carry_x ? plane_front(p, d, c, lanes) : (long)d->ahead_x[c]);
        if (elements > most)
            most = elements;
    }
    /* A vector may begin at the last element. An odd number of vectors keeps planes apart in the cache. */
    const long vectors = whole(most + lanes, lanes) / lanes;
    return (vectors | 1) * lanes;
}

double map_elements(const struct program *p, const struct node *d, long class_y, long strip, long lanes)
{
    return (double)d->ring[class_y] * (double)d->channels * (double)d->classes_x *
           (double)plane_length(p, d, strip, lanes);
}
