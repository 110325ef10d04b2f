/* Reading the user's input: any number type, any strides, zeros outside. */
#ifndef SCANWISE_INPUT_H
#define SCANWISE_INPUT_H

#include "simd.h"
#include "variant.h"

/* Every `step`-th number of a row, from the first on, as REAL. Numbers may stand anywhere, so they are copied out. */
#define READER(name, type)                                                                                             \
    static void read_##name(const char *from, ptrdiff_t step, REAL *to, long count)                                    \
    {                                                                                                                  \
        for (long i = 0; i < count; i++) {                                                                             \
            type value;                                                                                                \
            memcpy(&value, from + i * step, sizeof value);                                                             \
            to[i] = (REAL)value;                                                                                       \
        }                                                                                                              \
    }
READER(float, float)
READER(double, double)
READER(int8, int8_t)
READER(uint8, uint8_t)
READER(int16, int16_t)
READER(uint16, uint16_t)
READER(int32, int32_t)
READER(uint32, uint32_t)
READER(int64, int64_t)
READER(uint64, uint64_t)
#undef READER

static void read_numbers(char type, const char *from, ptrdiff_t step, REAL *to, long count)
{
    if (type == (REAL_IS_DOUBLE ? 'd' : 'f') && step == (ptrdiff_t)sizeof(REAL)) {
        memcpy(to, from, sizeof(REAL) * (size_t)count);
        return;
    }
    switch (type) {
    case 'f': read_float(from, step, to, count); break;
    case 'd': read_double(from, step, to, count); break;
    case 'b': read_int8(from, step, to, count); break;
    case 'B': case '?': read_uint8(from, step, to, count); break;
    case 'h': read_int16(from, step, to, count); break;
    case 'H': read_uint16(from, step, to, count); break;
    case 'i': read_int32(from, step, to, count); break;
    case 'I': read_uint32(from, step, to, count); break;
    case 'q': read_int64(from, step, to, count); break;
    case 'Q': read_uint64(from, step, to, count); break;
    }
}

/* Numbers at x = first, first + step, ... of row y; zeros where there is no input. */
static void input_row(const struct input *in, long item, long channel, long y, long first, long step, REAL *to,
                      long count)
{
    long before = 0, inside = 0;
    if (y >= 0 && y < in->height) {
        before = first >= 0 ? 0 : (-first + step - 1) / step;
        if (before > count)
            before = count;
        const long start = first + before * step;
        inside = start >= in->width ? 0 : (in->width - start + step - 1) / step;
        if (inside > count - before)
            inside = count - before;
    }
    if (before)
        memset(to, 0, sizeof(REAL) * (size_t)before);
    if (inside > 0) {
        const char *row = in->data + item * in->item_bytes + channel * in->channel_bytes + y * in->row_bytes;
        read_numbers(in->type, row + (first + before * step) * in->column_bytes, step * in->column_bytes, to + before,
                     inside);
    }
    memset(to + before + inside, 0, sizeof(REAL) * (size_t)(count - before - inside));
}

#endif
