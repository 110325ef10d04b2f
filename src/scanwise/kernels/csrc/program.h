/* A lowered program: what to compute, as integers and weights.
 *
 * Outputs lie at the multiples of the hop, so a map is needed at positions that repeat with the hop. It is stored as
 * one *plane* per class of positions: plane `c` holds the positions first[c] + n * hop, n = 0, 1, 2, ... side by side.
 * A tap of a class then reads another plane, `shift` elements further on, at unit stride, whatever hop, stride and
 * dilation.
 *
 * Element n of output 0 belongs to output n. A class is computed `ahead` elements further than the outputs, so far as
 * they or anything between reads it.
 *
 * Along the axis that *carries*, maps are computed in pieces and keep what later pieces still read: for signals along
 * x, in strips of neighbouring elements, each plane with its tail; for images along y, row by row, each class of rows
 * in a ring of as many rows as are still read, and along x columns overlap. For signals there is one class of rows.
 */
#ifndef SCANWISE_PROGRAM_H
#define SCANWISE_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

_Static_assert(sizeof(long) == 8, "positions and sizes are counted in long");

enum kind { INPUT, CONV, FOLD, SPREAD, AFFINE, UNARY, BINARY, VECTOR, COPY, CHAN, KINDS };

/* How a node reads another: taps along both axes, each a source plane and a shift, by class of the reader. */
struct read {
    long source, taps_y, taps_x;
    const int64_t *plane_y, *shift_y; /* [classes_y][taps_y] */
    const int64_t *plane_x, *shift_x; /* [classes_x][taps_x] */
};

struct node {
    int kind, op;
    long channels;
    long size;                         /* CONV: groups; CHAN: channels of a run */
    long flag;                         /* CONV: relu follows; VECTOR: swap; SPREAD: root; CHAN: one value per channel */
    long map;                          /* the node in whose memory the values stand: itself, or its source's */
    long classes_y, classes_x;
    const int64_t *ahead_y, *ahead_x;  /* by class */
    const int64_t *ring;               /* rows kept, by class of rows */
    const int64_t *keep;               /* by class: everything from this element (of output 0) on is read later */
    long reads;
    struct read *read;
    const int64_t *picks;              /* COPY: (read, channel, tap) of each channel; read -1 is zeros */
    double args[4];
    void *first, *second;              /* CONV: packed weight, bias; AFFINE: scale, shift; VECTOR: operand */
};

struct output {
    long node, plane_y, shift_y, plane_x, shift_x;
};

struct program {
    int carry_x;                       /* signals: x carries; else y does */
    long nodes, outputs;
    struct node *node;
    struct output *output;
    const int64_t *first_y, *first_x;  /* input position of element 0, by class of the input */
    long hop_y, hop_x;
    long warm_up;                      /* elements of the carrying axis computed before output 0 */
    long most_taps;                    /* of any node, all its reads together */
    int64_t *table;                    /* what the pointers above point into */
};

/* Read a program from a table of integers; NULL if it is not one. `args` are 4 numbers per node. */
struct program *program_new(const int64_t *table, size_t length, const double *args, size_t args_length);
void program_free(struct program *p);

/* Terms of each sum of a convolution. */
long program_terms(const struct program *p, const struct node *d);

/* Elements of a plane before those that a strip computes: the tail that was kept, up to whole vectors. */
long plane_front(const struct program *p, const struct node *d, long class_x, long lanes);
/* Elements of a plane, for strips of `strip` outputs. */
long plane_length(const struct program *p, const struct node *d, long strip, long lanes);
/* Elements of the maps of a node's class of rows. */
double map_elements(const struct program *p, const struct node *d, long class_y, long strip, long lanes);

#endif
