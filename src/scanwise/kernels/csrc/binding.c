/* The Python module: instruction sets, engines, names. */
#include "binding.h"

#include <string.h>
#include <time.h>

#include "operations.h"
#include "variants.h" /* SETS(X): the instruction sets that were compiled, the best first */

#define DECLARE(set) extern const struct variant set##_float, set##_double;
SETS(DECLARE)

struct set {
    const char *name;
    const struct variant *of_float, *of_double;
};
#define ENTRY(set) {#set, &set##_float, &set##_double},
static const struct set ALL_SETS[] = {SETS(ENTRY)};
enum { SET_COUNT = sizeof ALL_SETS / sizeof *ALL_SETS };

static int usable(const char *set)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!strcmp(set, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
    if (!strcmp(set, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    (void)set;
    return 1;
}

const struct variant *find_variant(const char *set, int wide)
{
    for (int i = 0; i < SET_COUNT; i++)
        if (!strcmp(set, ALL_SETS[i].name) && usable(set))
            return wide ? ALL_SETS[i].of_double : ALL_SETS[i].of_float;
    PyErr_Format(PyExc_ValueError, "instruction set '%s' is not there", set);
    return NULL;
}

/* Engines ---------------------------------------------------------------------------------------------------------- */

static void drop_idle(struct engine *e)
{
    while (e->idle_count)
        e->variant->scratch_free(e->idle[--e->idle_count]);
}

struct scratch *take_scratch(struct engine *e, long strip)
{
    if (e->strip != strip)
        drop_idle(e);
    e->strip = strip;
    return e->idle_count ? e->idle[--e->idle_count] : e->variant->scratch_new(e->program, strip);
}

void return_scratch(struct engine *e, struct scratch *w, long strip)
{
    if (e->strip == strip && e->idle_count < IDLE)
        e->idle[e->idle_count++] = w;
    else
        e->variant->scratch_free(w);
}

static void engine_free(PyObject *capsule)
{
    struct engine *e = PyCapsule_GetPointer(capsule, "scanwise.engine");
    drop_idle(e);
    program_free(e->program);
    PyMem_Free(e);
}

struct engine *engine_of(PyObject *capsule) { return PyCapsule_GetPointer(capsule, "scanwise.engine"); }

/* Give node `i` its parameters: contiguous numbers of the engine's type, as many as its shape asks for. */
static int bind_node(struct engine *e, long i, PyObject *pair)
{
    struct program *p = e->program;
    const struct node *d = &p->node[i];
    const int wanted = d->kind == CONV || d->kind == AFFINE ? 2 : d->kind == VECTOR ? 1 : 0;
    const Py_ssize_t terms = d->kind == CONV ? program_terms(p, d) : 1;
    const Py_ssize_t sizes[2] = {d->channels * terms * e->variant->item, d->channels * e->variant->item};
    Py_buffer view[2];
    int have = 0, fine = PyTuple_Check(pair) && PyTuple_Size(pair) == wanted;
    for (; fine && have < wanted; have++) {
        fine = !PyObject_GetBuffer(PyTuple_GetItem(pair, have), &view[have], PyBUF_SIMPLE);
        if (!fine)
            break;
        if (view[have].len != sizes[have]) {
            PyErr_Format(PyExc_ValueError, "parameter %d of node %ld has %zd bytes, not %zd", have, i, view[have].len,
                         sizes[have]);
            fine = 0;
        }
    }
    if (fine && wanted && !e->variant->bind(p, i, view[0].buf, wanted > 1 ? view[1].buf : NULL)) {
        PyErr_NoMemory();
        fine = 0;
    }
    while (have--)
        PyBuffer_Release(&view[have]);
    if (!fine && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "node %ld must have %d parameters", i, wanted);
    return fine;
}

PyDoc_STRVAR(engine_doc,
             "new_engine(isa, wide, table, args, params): an engine for a lowered program, as a capsule.\n\n"
             "table: int64, args: float64 (buffers); params: a tuple of buffers per node.");

static PyObject *new_engine(PyObject *self, PyObject *arguments)
{
    (void)self;
    const char *set;
    int wide;
    Py_buffer table, args;
    PyObject *params, *capsule = NULL;
    if (!PyArg_ParseTuple(arguments, "spy*y*O!", &set, &wide, &table, &args, &PyTuple_Type, &params))
        return NULL;
    struct engine *e = PyMem_Calloc(1, sizeof *e);
    if (!e)
        PyErr_NoMemory();
    else if ((e->variant = find_variant(set, wide))) {
        e->program = program_new(table.buf, (size_t)table.len / sizeof(int64_t), args.buf,
                                 (size_t)args.len / sizeof(double));
        if (!e->program)
            PyErr_SetString(PyExc_ValueError, "the table is not a program");
    }
    PyBuffer_Release(&table);
    PyBuffer_Release(&args);
    int fine = e && e->program;
    if (fine && PyTuple_Size(params) != e->program->nodes) {
        PyErr_SetString(PyExc_ValueError, "params must have an entry for each node");
        fine = 0;
    }
    for (long i = 0; fine && i < e->program->nodes; i++)
        fine = bind_node(e, i, PyTuple_GetItem(params, i));
    if (fine)
        capsule = PyCapsule_New(e, "scanwise.engine", engine_free);
    if (!capsule && e) {
        if (e->program)
            program_free(e->program);
        PyMem_Free(e);
    }
    return capsule;
}

PyDoc_STRVAR(scratch_doc, "scratch_bytes(engine, strip): bytes that one thread needs for strips of that many outputs.");

static PyObject *scratch_bytes(PyObject *self, PyObject *arguments)
{
    (void)self;
    PyObject *capsule;
    long strip;
    if (!PyArg_ParseTuple(arguments, "Ol", &capsule, &strip))
        return NULL;
    struct engine *e = engine_of(capsule);
    if (!e)
        return NULL;
    if (strip < 1 || strip > 1L << 31) {
        PyErr_SetString(PyExc_ValueError, "strip must be a positive number that is not absurd");
        return NULL;
    }
    double elements = 0;
    for (long i = 0; i < e->program->nodes; i++)
        for (long c = 0; e->program->node[i].map == i && c < e->program->node[i].classes_y; c++)
            elements += map_elements(e->program, &e->program->node[i], c, strip, e->variant->lanes);
    const double taps = (double)e->program->most_taps * (double)sizeof(void *);
    return PyFloat_FromDouble(elements * (double)e->variant->item + taps);
}

/* The machine ------------------------------------------------------------------------------------------------------ */

PyDoc_STRVAR(sets_doc, "sets(): instruction sets that were compiled and that this machine has, the best first.");

static PyObject *sets(PyObject *self, PyObject *nothing)
{
    (void)self, (void)nothing;
    PyObject *names = PyList_New(0);
    for (int i = 0; names && i < SET_COUNT; i++) {
        if (!usable(ALL_SETS[i].name))
            continue;
        PyObject *name = PyUnicode_FromString(ALL_SETS[i].name);
        if (!name || PyList_Append(names, name))
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

PyDoc_STRVAR(peak_doc, "peak(isa, wide, rounds): operations per second of fused multiply-adds in registers alone.");

static PyObject *peak(PyObject *self, PyObject *arguments)
{
    (void)self;
    const char *set;
    int wide;
    long rounds;
    if (!PyArg_ParseTuple(arguments, "spl", &set, &wide, &rounds))
        return NULL;
    const struct variant *v = find_variant(set, wide);
    if (!v)
        return NULL;
    double operations;
    struct timespec a, b;
    PyThreadState *state = PyEval_SaveThread();
    clock_gettime(CLOCK_MONOTONIC, &a);
    volatile double kept = v->peak(rounds, &operations);
    clock_gettime(CLOCK_MONOTONIC, &b);
    PyEval_RestoreThread(state);
    (void)kept;
    return PyFloat_FromDouble(operations / ((double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec)));
}

static PyMethodDef METHODS[] = {
    {"new_engine", new_engine, METH_VARARGS, engine_doc}, {"scratch_bytes", scratch_bytes, METH_VARARGS, scratch_doc},
    {"scan", scan, METH_VARARGS, SCAN_DOC},          {"sets", sets, METH_NOARGS, sets_doc},
    {"peak", peak, METH_VARARGS, peak_doc},          {"count_digits", count_digits, METH_VARARGS, COUNT_DOC},
    {NULL, NULL, 0, NULL},
};

/* The names of operations, in the order of their codes. */
static int add_names(PyObject *module, const char *name, const char *const *names)
{
    PyObject *list = PyList_New(0);
    for (; list && *names; names++) {
        PyObject *text = PyUnicode_FromString(*names);
        if (!text || PyList_Append(list, text))
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    const int failed = !list || PyModule_AddObjectRef(module, name, list);
    Py_XDECREF(list);
    return failed ? -1 : 0;
}

static int fill(PyObject *module)
{
    return add_names(module, "UNARY", UNARY_NAMES) || add_names(module, "BINARY", BINARY_NAMES) ||
                   add_names(module, "FOLD", FOLD_NAMES) || add_names(module, "CHAN", CHAN_NAMES)
               ? -1
               : 0;
}

static PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, fill}, {0, NULL}};
static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_native", "The native engine; see scanwise.kernels.", 0, METHODS, SLOTS, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&MODULE); }
