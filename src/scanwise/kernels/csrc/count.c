/* Counting scores: the door from Python to count.h. */
#include "binding.h"

enum { BINS = 1 << 16 };

const char COUNT_DOC[] =
    "count_digits(isa, wide, scores, shift, prefix, bins, edges): count scores, float64 if `wide`, else float32, by the\n"
    "16 bits above the lowest `shift` of their order, where those above are `prefix`; 0 where there are none. bins:\n"
    "65,536 of int64, added to; edges: 2 of uint64, keys of the highest score below the prefix and of the lowest above,\n"
    "moved towards it.";

PyObject *count_digits(PyObject *self, PyObject *arguments)
{
    (void)self;
    const char *set;
    Py_buffer scores, bins, edges;
    int wide, shift;
    unsigned long long prefix;
    if (!PyArg_ParseTuple(arguments, "spy*iKw*w*", &set, &wide, &scores, &shift, &prefix, &bins, &edges))
        return NULL;
    const struct variant *v = find_variant(set, wide);
    const int bits = wide ? 64 : 32;
    const int fine = bins.len == BINS * (Py_ssize_t)sizeof(int64_t) && edges.len == 2 * (Py_ssize_t)sizeof(uint64_t) &&
                     scores.len % (bits / 8) == 0 && shift >= 0 && shift <= bits - 16 && shift % 16 == 0 &&
                     (prefix == 0 || shift < bits - 16);
    if (v && fine) {
        PyThreadState *state = PyEval_SaveThread();
        v->count(scores.buf, scores.len / (bits / 8), shift, prefix, bins.buf, edges.buf);
        PyEval_RestoreThread(state);
    } else if (v) {
        PyErr_SetString(PyExc_ValueError, "scores, shift, prefix, bins and edges must fit each other");
    }
    PyBuffer_Release(&scores);
    PyBuffer_Release(&bins);
    PyBuffer_Release(&edges);
    if (!v || !fine)
        return NULL;
    Py_RETURN_NONE;
}
