/* The operations by name: the one list from which their codes, their names in Python and their loops are made.
 *
 * X(name, formula): the formula gives a vec from x, and y where there are two, and the numbers a, b and c, which are
 * the same for all positions; what they are, run/_functions.py says.
 */
#ifndef SCANWISE_OPERATIONS_H
#define SCANWISE_OPERATIONS_H

#define UNARY_OPERATIONS(X)                                                                                            \
    X(relu, v_relu(x))                                                                                                 \
    X(leaky_relu, v_pick(x > 0, x, x * a))                                                                             \
    X(elu, v_pick(x < 0, v_expm1(x * c) * a, x * b))                                                                   \
    X(gelu, x * (REAL)0.5 * v_erfc(x * -SQRT_HALF))                                                                    \
    X(gelu_tanh, v_gelu_tanh(x))                                                                                       \
    X(silu, v_gated(x, x))                                                                                             \
    X(mish, v_mish(x))                                                                                                 \
    X(sigmoid, v_sigmoid(x))                                                                                           \
    X(tanh, v_tanh(x))                                                                                                 \
    X(hardsigmoid, v_at_most(v_at_least(x + 3, v_all(0)), v_all(6)) / 6)                                               \
    X(hardswish, x * v_at_most(v_at_least(x + 3, v_all(0)), v_all(6)) / 6)                                             \
    X(softplus, v_pick(x * a > b, x, v_softplus(x * a) / a))                                                           \
    X(log_sigmoid, v_log_sigmoid(x))                                                                                   \
    X(exp, v_exp(x))                                                                                                   \
    X(exp2, v_exp2(x))                                                                                                 \
    X(expm1, v_expm1(x))                                                                                               \
    X(log, v_log(x))                                                                                                   \
    X(log2, v_log2(x))                                                                                                 \
    X(log10, v_log10(x))                                                                                               \
    X(log1p, v_log1p(x))                                                                                               \
    X(sqrt, v_sqrt(x))                                                                                                 \
    X(rsqrt, 1 / v_sqrt(x))                                                                                            \
    X(abs, v_abs(x))                                                                                                   \
    X(neg, -x)                                                                                                         \
    X(sign, v_pick(x > 0, v_all(1), v_pick(x < 0, v_all(-1), v_all(0))))                                               \
    X(floor, v_floor(x))                                                                                               \
    X(ceil, v_ceil(x))                                                                                                 \
    X(round, v_round(x))                                                                                               \
    X(round_to, v_round(x * a / b) * b / a)                                                                            \
    X(trunc, v_trunc(x))                                                                                               \
    X(frac, x - v_trunc(x))                                                                                            \
    X(reciprocal, 1 / x)                                                                                               \
    X(sin, v_each(LIBM(sin), x))                                                                                       \
    X(cos, v_each(LIBM(cos), x))                                                                                       \
    X(tan, v_each(LIBM(tan), x))                                                                                       \
    X(asin, v_each(LIBM(asin), x))                                                                                     \
    X(acos, v_each(LIBM(acos), x))                                                                                     \
    X(atan, v_each(LIBM(atan), x))                                                                                     \
    X(sinh, v_each(LIBM(sinh), x))                                                                                     \
    X(cosh, v_each(LIBM(cosh), x))                                                                                     \
    X(erf, v_erf(x))                                                                                                   \
    X(erfc, v_erfc(x))                                                                                                 \
    X(square, x * x)                                                                                                   \
    X(cube, x * x * x)                                                                                                 \
    X(clamp, v_at_most(v_at_least(x, a), b))                                                                           \
    X(threshold, v_pick(x <= a, b, x))                                                                                 \
    X(hardshrink, v_pick((x >= -a) & (x <= a), v_all(0), x))                                                           \
    X(softshrink, v_pick(x > a, x - a, v_pick(x < -a, x + a, x - x)))                                                  \
    X(logit, v_logit(v_at_most(v_at_least(x, a), 1 - a)))                                                              \
    X(nan_to_num, v_pick(x != x, a, v_pick(x == HUGE_REAL, b, v_pick(x == -HUGE_REAL, c, x))))                         \
    X(pow, v_each_2(LIBM(pow), x, a))                                                                                  \
    X(divide, x / a)

#define BINARY_OPERATIONS(X)                                                                                           \
    X(add, v_fma(y, a, x))                                                                                             \
    X(sub, v_fma(y, -a, x))                                                                                            \
    X(mul, x * y)                                                                                                      \
    X(div, x / y)                                                                                                      \
    X(div_trunc, v_trunc(x / y))                                                                                       \
    X(div_floor, v_div_floor(x, y))                                                                                    \
    X(maximum, v_max(x, y))                                                                                            \
    X(minimum, v_min(x, y))                                                                                            \
    X(fmax, v_pick((x >= y) | (y != y), x, y))                                                                         \
    X(fmin, v_pick((x <= y) | (y != y), x, y))                                                                         \
    X(pow, v_each_2(LIBM(pow), x, y))                                                                                  \
    X(atan2, v_each_2(LIBM(atan2), x, y))                                                                              \
    X(prelu, v_pick(x > 0, x, x * y))                                                                                  \
    X(hypot, v_each_2(LIBM(hypot), x, y))

#define FOLD_OPERATIONS(X)                                                                                             \
    X(max, v_max(x, y))                                                                                                \
    X(min, v_min(x, y))                                                                                                \
    X(sum, x + y)                                                                                                      \
    X(logaddexp, v_logaddexp(x, y))

/* These have no formulas; see chan.h. */
#define CHAN_OPERATIONS(X)                                                                                             \
    X(softmax) X(log_softmax) X(norm) X(max) X(min) X(sum) X(mean) X(var) X(std) X(logsumexp)

#define OPERATION_NAME(name, ...) #name,
#define NAMES(list) __attribute__((unused)) = {list(OPERATION_NAME) 0}
static const char *const UNARY_NAMES[] NAMES(UNARY_OPERATIONS);
static const char *const BINARY_NAMES[] NAMES(BINARY_OPERATIONS);
static const char *const FOLD_NAMES[] NAMES(FOLD_OPERATIONS);
static const char *const CHAN_NAMES[] NAMES(CHAN_OPERATIONS);
#undef NAMES
#undef OPERATION_NAME

#define UNARY_CODE(name, ...) UNARY_##name,
#define BINARY_CODE(name, ...) BINARY_##name,
#define FOLD_CODE(name, ...) FOLD_##name,
#define CHAN_CODE(name) CHAN_##name,
enum unary { UNARY_OPERATIONS(UNARY_CODE) };
enum binary { BINARY_OPERATIONS(BINARY_CODE) };
enum fold { FOLD_OPERATIONS(FOLD_CODE) };
enum chan { CHAN_OPERATIONS(CHAN_CODE) };

#endif
