/* Convolution on one row of neighbouring positions: register tiles of channels x vectors, see tile.h. */
#ifndef SCANWISE_CONV_H
#define SCANWISE_CONV_H

#include "simd.h"

#define BLOCK 256 /* terms of a sum that are added in one go; more would lose accuracy */
#define NAME_(m, n) tile_##m##x##n
#define NAME(m, n) NAME_(m, n)

struct sum {
    long terms;              /* of each sum */
    const REAL *const *from; /* where each term begins in the source */
    ptrdiff_t plane;         /* from one channel of the destination to the next */
    int relu;
};
typedef void (*tile_fn)(const struct sum *, const REAL *, const REAL *, ptrdiff_t, REAL *, long);

/* Register tiles for so many channels. */
struct tile {
    int channels;
    struct {
        int vectors;
        tile_fn run;
    } widths[3];
};

/* Tiles by channels; widths of each in vectors, the widest first and 1 last. As many accumulators as hide the latency
 * of an addition, as few as leave registers for the rest: 32 registers with AVX-512, else 16. */
#if VECTOR_BYTES == 64
#define M 8
#define N 3
#include "tile.h"
#define M 8
#define N 2
#include "tile.h"
#define M 8
#define N 1
#include "tile.h"
#define M 4
#define N 6
#include "tile.h"
#define M 4
#define N 3
#include "tile.h"
#define M 4
#define N 1
#include "tile.h"
#define M 2
#define N 10
#include "tile.h"
#define M 2
#define N 5
#include "tile.h"
#define M 2
#define N 1
#include "tile.h"
#define M 1
#define N 12
#include "tile.h"
#define M 1
#define N 4
#include "tile.h"
#define M 1
#define N 1
#include "tile.h"
static const struct tile TILES[] = {
    {8, {{3, tile_8x3}, {2, tile_8x2}, {1, tile_8x1}}},
    {4, {{6, tile_4x6}, {3, tile_4x3}, {1, tile_4x1}}},
    {2, {{10, tile_2x10}, {5, tile_2x5}, {1, tile_2x1}}},
    {1, {{12, tile_1x12}, {4, tile_1x4}, {1, tile_1x1}}},
};
#else
#define M 4
#define N 3
#include "tile.h"
#define M 4
#define N 2
#include "tile.h"
#define M 4
#define N 1
#include "tile.h"
#define M 2
#define N 5
#include "tile.h"
#define M 2
#define N 2
#include "tile.h"
#define M 2
#define N 1
#include "tile.h"
#define M 1
#define N 8
#include "tile.h"
#define M 1
#define N 4
#include "tile.h"
#define M 1
#define N 1
#include "tile.h"
static const struct tile TILES[] = {
    {4, {{3, tile_4x3}, {2, tile_4x2}, {1, tile_4x1}}},
    {2, {{5, tile_2x5}, {2, tile_2x2}, {1, tile_2x1}}},
    {1, {{8, tile_1x8}, {4, tile_1x4}, {1, tile_1x1}}},
};
#endif

/* The tile for the next channels when `left` are left; tiles only become smaller. */
static long tile_for(long tile, long left)
{
    while (TILES[tile].channels > left)
        tile++;
    return tile;
}

/* Bring weights [outs][terms] into the order tiles read them: [outs / channels of the tile][terms][channels]. */
static void conv_pack(const REAL *weight, long outs, long terms, REAL *packed)
{
    for (long out = 0, tile = 0; out < outs; out += TILES[tile].channels) {
        tile = tile_for(tile, outs - out);
        for (long k = 0; k < terms; k++)
            for (int m = 0; m < TILES[tile].channels; m++)
                *packed++ = weight[(out + m) * terms + k];
    }
}

/* `outs` channels on `length` neighbouring positions from `at` on; whole vectors are computed. */
static void conv_row(const struct sum *s, const REAL *packed, const REAL *bias, long outs, ptrdiff_t at, REAL *dst,
                     long length)
{
    for (long out = 0, tile = 0; out < outs; out += TILES[tile].channels) {
        tile = tile_for(tile, outs - out);
        long vectors = (length + LANES - 1) / LANES;
        ptrdiff_t done = 0;
        for (int i = 0; vectors; i++) {
            const int width = TILES[tile].widths[i].vectors;
            const long chunks = vectors / width;
            if (chunks)
                TILES[tile].widths[i].run(s, packed, bias + out, at + done, dst + out * s->plane + done, chunks);
            done += chunks * width * LANES;
            vectors -= chunks * width;
        }
        packed += s->terms * TILES[tile].channels;
    }
}

#endif
