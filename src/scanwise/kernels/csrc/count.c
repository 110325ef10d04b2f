/* Counting scores by 16 bits of their order: ranks among more numbers than anyone would sort. */
#include "binding.h"

#include <string.h>

enum { AT_A_TIME = 1024, BINS = 1 << 16 };

/* count_<real>: of numbers whose bits above these 16 are `prefix`, count each value of the 16. Of the others keep the
 * neighbours: the highest below, edges[0], and the lowest above, edges[1].
 *
 * The bits of a number are read as a whole number of the same order; zeros of both signs are one. */
#define COUNT(real, whole)                                                                                             \
    static inline whole key_##real(const real *from)                                                                   \
    {                                                                                                                  \
        const whole sign = (whole)1 << (8 * sizeof(whole) - 1);                                                        \
        const real value = *from + 0;                                                                                  \
        whole bits;                                                                                                    \
        memcpy(&bits, &value, sizeof bits);                                                                            \
        return bits & sign ? ~bits : bits | sign;                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    static void count_##real(const real *from, long n, int shift, whole prefix, int64_t *bins, uint64_t *edges)        \
    {                                                                                                                  \
        whole below = 0, above = (whole)-1, key[AT_A_TIME];                                                            \
        for (long first = 0; first < n; first += AT_A_TIME) {                                                          \
            const long count = n - first < AT_A_TIME ? n - first : AT_A_TIME;                                          \
            for (long i = 0; i < count; i++)                                                                           \
                key[i] = key_##real(from + first + i);                                                                 \
            for (long i = 0; i < count; i++) {                                                                         \
                const whole high = key[i] >> shift >> 16;                                                              \
                const whole low_key = high < prefix ? key[i] : 0, high_key = high > prefix ? key[i] : (whole)-1;       \
                below = low_key > below ? low_key : below;                                                             \
                above = high_key < above ? high_key : above;                                                           \
            }                                                                                                          \
            for (long i = 0; i < count; i++)                                                                           \
                if (key[i] >> shift >> 16 == prefix)                                                                   \
                    bins[key[i] >> shift & (BINS - 1)]++;                                                              \
        }                                                                                                              \
        if (below > edges[0])                                                                                          \
            edges[0] = below;                                                                                          \
        if (above < edges[1] && above != (whole)-1)                                                                    \
            edges[1] = above;                                                                                          \
    }
COUNT(float, uint32_t)
COUNT(double, uint64_t)

const char COUNT_DOC[] =
    "count_digits(scores, wide, shift, prefix, bins, edges): count scores, float64 if `wide`, else float32, by the 16\n"
    "bits above the lowest `shift` of their order, where those above are `prefix`. bins: 65,536 of int64, added to;\n"
    "edges: 2 of uint64, keys of the highest score below the prefix and of the lowest above, moved towards it.";

PyObject *count_digits(PyObject *self, PyObject *arguments)
{
    (void)self;
    Py_buffer scores, bins, edges;
    int wide, shift;
    unsigned long long prefix;
    if (!PyArg_ParseTuple(arguments, "y*piKw*w*", &scores, &wide, &shift, &prefix, &bins, &edges))
        return NULL;
    const int bits = wide ? 64 : 32;
    const int fine = bins.len == BINS * (Py_ssize_t)sizeof(int64_t) && edges.len == 2 * (Py_ssize_t)sizeof(uint64_t) &&
                     scores.len % (bits / 8) == 0 && shift >= 0 && shift <= bits - 16 && shift % 16 == 0;
    if (fine) {
        PyThreadState *state = PyEval_SaveThread();
        if (wide)
            count_double(scores.buf, scores.len / 8, shift, prefix, bins.buf, edges.buf);
        else
            count_float(scores.buf, scores.len / 4, shift, (uint32_t)prefix, bins.buf, edges.buf);
        PyEval_RestoreThread(state);
    } else {
        PyErr_SetString(PyExc_ValueError, "scores, shift, bins and edges must fit each other");
    }
    PyBuffer_Release(&scores);
    PyBuffer_Release(&bins);
    PyBuffer_Release(&edges);
    if (!fine)
        return NULL;
    Py_RETURN_NONE;
}
