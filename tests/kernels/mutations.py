"""Faults to plant in the native engine, at least two in each kind of kernel: the tests must see every one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """In `file`, `old`, which stands there once, becomes `new`: and `breaks` is not what it was."""

    file: str
    old: str
    new: str
    breaks: str


MUTATIONS = [
    # Convolutions ---------------------------------------------------------------------------------------------------
    Mutation("tile.h", "v_all(k ? 0 : bias[m])", "v_all(bias[m])", "the bias of a long sum counts once"),
    Mutation("tile.h", "y = v_load(d) + y;", "y = y;", "the blocks of a long sum are added"),
    Mutation("tile.h", "s->relu && stop == s->terms", "s->relu", "relu waits for the end of a long sum"),
    Mutation("tile.h", "s->from[i] + at", "s->from[i]", "a tile begins where the last one ended"),
    Mutation("tile.h", "dst += N * LANES", "dst += LANES", "tiles are written side by side"),
    Mutation("conv.h", "(out + m) * terms + k", "out * terms + k", "each channel has weights of its own"),
    Mutation("conv.h", "bias + out, at + done", "bias, at + done", "each channel has a bias of its own"),
    Mutation("conv.h", "(length + LANES - 1) / LANES", "length / LANES", "the last positions fill part of a vector"),
    Mutation("conv.h", "vectors -= chunks * width", "vectors = 0", "what wide tiles leave, narrow ones compute"),
    Mutation("conv.h", "packed += s->terms * ", "packed += ", "each tile has weights of its own"),
    Mutation(
        "walk.h",
        "(const REAL *)d->first + g * outs * terms",
        "(const REAL *)d->first",
        "groups have weights of their own",
    ),
    Mutation("walk.h", "g * ins * channel, dst", "0, dst", "groups read channels of their own"),
    Mutation("walk.h", "w->from[k] + c * channel", "w->from[k]", "a sum goes over all channels"),
    Mutation("walk.h", "step, (int)d->flag}", "step, 0}", "relu follows a convolution"),
    Mutation(
        "variant.c",
        "conv_pack((const REAL *)first + g * outs,",
        "conv_pack((const REAL *)first,",
        "groups are packed apart",
    ),
    Mutation(
        "variant.c",
        "        memcpy(d->second, second, width);",
        "        memset(d->second, 0, width);",
        "there is a bias",
    ),
    # Pools ----------------------------------------------------------------------------------------------------------
    Mutation(
        "fold.h",
        "v_load(p + i), v_load(q + i)));\n    } else if",
        "v_load(p + i), v_load(p + i)));\n    } else if",
        "pools of 2 read both",
    ),
    Mutation("fold.h", "v_load(r + i), v_load(s + i)", "v_load(r + i), v_load(r + i)", "pools of 4 read all"),
    Mutation(
        "fold.h", "for (long k = 1; k < taps; k++)", "for (long k = 1; k < taps - 1; k++)", "other pools read all"
    ),
    Mutation("fold.h", "v_load(mean + i), i)", "v_load(mean), i)", "each position has its mean"),
    Mutation("fold.h", "root ? v_sqrt(variance) : variance", "variance", "a deviation is a root"),
    Mutation("fold.h", "total = total + sum", "total = sum", "all runs of a sum are added"),
    Mutation("fold.h", "v_fma(x, x, sum)", "v_fma(x, x, x)", "squares are added up"),
    Mutation("fold.h", "v_bend(x - y)", "v_bend(x)", "the logarithm of a sum of exponentials"),
    Mutation("operations.h", "X(min, v_min(x, y)) ", "X(min, v_max(x, y)) ", "the smallest is not the largest"),
    Mutation("simd.h", "v_pick((a < b) | (a != a), a, b)", "v_pick(a < b, b, a)", "the smaller of two"),
    Mutation("walk.h", "at, w->from + taps)", "at, w->from)", "pools fold what several reads give"),
    Mutation(
        "walk.h",
        "w->from[k] += s->classes_x * w->map[s->map].plane;\n        }",
        "w->from[k] += 0;\n        }",
        "pools go from channel to channel",
    ),
    Mutation("walk.h", "mean += means->classes_x", "mean += 0 * means->classes_x", "each channel has its mean"),
    # Affine, unary, binary, vector ----------------------------------------------------------------------------------
    Mutation(
        "point.h",
        "v_fma(v_all(scale), v_load(src + i), v_all(shift))",
        "v_fma(v_all(scale), v_load(src + i), v_all(scale))",
        "affine: the shift",
    ),
    Mutation(
        "walk.h", "affine_row(first[c], second[c]", "affine_row(first[0], second[c]", "affine: a scale for each channel"
    ),
    Mutation("walk.h", "a, first[c], dst", "a, first[0], dst", "vector: an operand for each channel"),
    Mutation(
        "point.h",
        "binary_steps(op, args, same, 0, src, LANES, dst, length)",
        "binary_steps(op, args, src, LANES, same, 0, dst, length)",
        "vector: swapped operands",
    ),
    Mutation(
        "point.h",
        "binary_steps(op, args, src, LANES, same, 0, dst, length)",
        "binary_steps(op, args, src, 0, same, 0, dst, length)",
        "vector: all positions",
    ),
    Mutation(
        "walk.h", "other = second->classes_x", "other = 0 * second->classes_x", "binary: the second map's channels"
    ),
    Mutation("point.h", "first, LANES, second, LANES, dst", "first, LANES, second, 0, dst", "binary: all positions"),
    Mutation("operations.h", "X(sub, v_fma(y, -a, x))", "X(sub, v_fma(y, a, x))", "binary: the sign of a difference"),
    Mutation(
        "operations.h",
        "X(fmax, v_pick((x >= y) | (y != y), x, y))",
        "X(fmax, v_pick(x >= y, y, x))",
        "binary: the larger of two",
    ),
    Mutation(
        "point.h",
        "v_pick((rest != 0) & ((y < 0) ^ (rest < 0)), quotient - 1, quotient)",
        "quotient",
        "binary: division rounded down",
    ),
    Mutation("operations.h", "v_pick(x > 0, x, x * a)", "v_pick(x > 0, x, x)", "unary: the slope of a leaky relu"),
    Mutation("operations.h", "v_erfc(x * -SQRT_HALF)", "v_erfc(x * SQRT_HALF)", "unary: gelu"),
    Mutation(
        "operations.h",
        "v_pick(x * a > b, x, v_softplus(x * a) / a)",
        "v_softplus(x * a)",
        "unary: the sharpness of a softplus",
    ),
    Mutation(
        "functions.h",
        "v_fma(*n, v_all(-LN2_LOW), v_fma(*n, v_all(-LN2_HIGH), x))",
        "v_fma(*n, v_all(-LN2_HIGH), x)",
        "unary: the reduction of exp",
    ),
    Mutation(
        "functions.h",
        "v_all(EXP_LEAST)), v_all(EXP_MOST)), &n);\n    return v_scale(1",
        "v_all(EXP_LEAST)), v_all(EXP_LEAST)), &n);\n    return v_scale(1",
        "unary: large arguments of exp",
    ),
    Mutation(
        "functions.h",
        "v_signed(v_pick(far, 1 - ratio, ratio), x)",
        "v_pick(far, 1 - ratio, ratio)",
        "unary: the sign of tanh",
    ),
    Mutation("functions.h", "v_pick(y < 0, x * e, x)", "x", "unary: sigmoids of negative numbers"),
    Mutation(
        "functions.h",
        "*k = *k - v_pick(small, v_all(FRACTION_BITS + 1), v_all(0));",
        "",
        "unary: logarithms of denormal numbers",
    ),
    Mutation(
        "functions.h",
        "erf_near_0(x), v_signed(1 - erfc_beyond(t), x)",
        "erf_near_0(x), 1 - erfc_beyond(t)",
        "unary: the sign of erf",
    ),
    Mutation("functions.h", "v_pick(y > x, y - 1, y)", "y", "unary: floor"),
    # Channels -------------------------------------------------------------------------------------------------------
    Mutation("chan.h", "term(&powers, k, i) / sum", "term(&powers, k, i)", "chan: softmax adds up to 1"),
    Mutation("chan.h", "term(t, k, i) - most - rest", "term(t, k, i) - rest", "chan: log-softmax"),
    Mutation("chan.h", "(term(t, k, i) - mean) * scale", "term(t, k, i) * scale", "chan: norm takes the mean out"),
    Mutation("chan.h", "v_sqrt(variance + epsilon)", "v_sqrt(variance)", "chan: norm adds epsilon"),
    Mutation(
        "chan.h",
        "for (long k = 1; k < t->count; k++)\n        y =",
        "for (long k = 2; k < t->count; k++)\n        y =",
        "chan: extremes of all channels",
    ),
    Mutation("chan.h", "origin + v_log(", "v_log(", "chan: log-sum-exp"),
    Mutation("walk.h", "src + run * d->size * channel", "src", "chan: every run of channels"),
    Mutation("walk.h", "dst + run * given * step", "dst", "chan: a place for every run"),
    # Copies: concat, take, gather -----------------------------------------------------------------------------------
    Mutation("walk.h", "w->from[pick[2]] + pick[1] * channel", "w->from[pick[2]]", "copy: the channel"),
    Mutation("walk.h", "w->from[pick[2]] + pick[1] * channel", "w->from[0] + pick[1] * channel", "copy: the position"),
    Mutation("walk.h", "if (pick[0] == i)", "if (pick[0] >= 0)", "copy: the map"),
    Mutation("walk.h", "if (d->picks[3 * c] < 0)", "if (d->picks[3 * c] < -1)", "copy: channels of zeros"),
    # Inputs ---------------------------------------------------------------------------------------------------------
    Mutation("input.h", "from + i * step", "from + i * (ptrdiff_t)sizeof value", "input: strides"),
    Mutation("input.h", "&& step == (ptrdiff_t)sizeof(REAL)", "", "input: gaps between numbers of the engine's type"),
    Mutation("input.h", "case 'h': read_int16", "case 'h': read_uint16", "input: the type of number"),
    Mutation("input.h", "READER(int8, int8_t)", "READER(int8, uint8_t)", "input: types with a sign"),
    Mutation("input.h", "in->data + item * in->item_bytes", "in->data", "input: the item"),
    Mutation("input.h", "(-first + step - 1) / step", "-first / step", "input: zeros before it"),
    Mutation(
        "input.h",
        "memset(to + before + inside, 0, sizeof(REAL) * (size_t)(count - before - inside));",
        "",
        "input: zeros behind it",
    ),
    Mutation(
        "scan.c",
        "in->height = axes == 2 ? x->shape[2] : 1",
        "in->height = axes == 2 ? x->shape[2] - 1 : 1",
        "input: all rows",
    ),
    # Walking --------------------------------------------------------------------------------------------------------
    Mutation(
        "walk.h",
        "element += (long)(d->ahead_x[at->class_x] - s->ahead_x[plane]);",
        "element += 0;",
        "walk: maps run ahead of each other",
    ),
    Mutation(
        "walk.h",
        "at->n + (long)read->shift_y[i]) + at->skip",
        "at->n + (long)read->shift_y[i])",
        "walk: strips that begin before the input",
    ),
    Mutation(
        "walk.h",
        "const long class_y = (long)read->plane_y[i]",
        "const long class_y = at->class_y",
        "walk: phases of rows",
    ),
    Mutation("walk.h", "m->front[plane] + element", "m->front[at->class_x] + element", "walk: phases of columns"),
    Mutation("walk.h", "n % d->ring[class_y] * m->row", "0 * m->row", "walk: rings of rows"),
    Mutation(
        "walk.h",
        "memmove(to, to + w->strip, sizeof(REAL) * (size_t)tail)",
        "memmove(to, to + w->strip, sizeof(REAL))",
        "walk: tails of strips",
    ),
    Mutation("walk.h", "m->front[c] - tail;", "m->front[c];", "walk: where tails stand"),
    Mutation("walk.h", "if (stop < job->to)\n            keep_tails(w);", "", "walk: tails are kept"),
    Mutation("walk.h", "from -= d->ahead_x[o->plane_x];", ";", "walk: outputs of maps that run ahead"),
    Mutation(
        "walk.h",
        "(item * d->channels * out->count_y + row) * out->count_x;",
        "row * out->count_x;",
        "walk: the scores of an item",
    ),
    Mutation(
        "output.h", "(first + every - 1) / every", "first / every + 1", "walk: the first of every so many outputs"
    ),
    Mutation("output.h", "from[n * every - first]", "from[n * every]", "walk: every so many outputs"),
    Mutation("output.h", "to[n] = from", "to[0] = from", "walk: places of every so many outputs"),
    Mutation("output.h", "from += before, to += before;", "", "walk: whole vectors of large scores"),
    Mutation("output.h", "i < vectors;", "i < vectors - 1;", "walk: the last whole vector of large scores"),
    Mutation(
        "output.h",
        "memcpy(to, from, sizeof(REAL) * (size_t)after);",
        "(void)after;",
        "walk: what is left of large scores",
    ),
    Mutation("output.h", "to + first, from", "to, from", "walk: the place of a strip's scores"),
    Mutation("walk.h", "to += out->count_y * out->count_x", "to += out->count_x", "walk: the scores of a channel"),
    Mutation(
        "walk.h",
        "job->right - job->left + (long)p->node[i].ahead_x[x]}",
        "job->right - job->left}",
        "walk: columns overlap",
    ),
    Mutation(
        "walk.h", "long row = job->from - p->warm_up", "long row = job->from", "walk: rows before the first output"
    ),
    Mutation(
        "walk.h",
        "job->from - (p->warm_up + strip - 1) / strip * strip",
        "job->from",
        "walk: strips before the first output",
    ),
    Mutation(
        "walk.h",
        "(long)p->first_x[at->class_x] + first * p->hop_x, p->hop_x",
        "(long)p->first_x[at->class_x] + first, 1",
        "walk: the hop",
    ),
    Mutation("walk.h", "at->n * p->hop_y,", "at->n,", "walk: the hop between rows"),
    Mutation(
        "program.c",
        "(d->ahead_x[class_x] - d->keep[class_x]), lanes) : 0",
        "(d->ahead_x[class_x] - d->keep[class_x]), lanes) / 2 : 0",
        "walk: room for tails",
    ),
    Mutation(
        "program.c",
        "whole(most + lanes, lanes) / lanes",
        "(most + lanes - 1) / lanes",
        "walk: room for a vector at the last element",
    ),
    Mutation("program.c", "if (taps > p->most_taps)", "if (taps < p->most_taps)", "walk: room for all taps"),
    Mutation("scan.c", "job.to > total", "job.to < total", "jobs: the last one is shorter"),
    Mutation("scan.c", "(along + 1) * t->along,", "along * t->along + 1,", "jobs: none leaves a gap"),
    Mutation("scan.c", "i / t->jobs_across % t->jobs_along", "i / t->jobs_across", "jobs: of several items"),
    Mutation("scan.c", "i = atomic_fetch_add(&t->next, 1)", "i = t->next += 2", "threads: every job is taken"),
    Mutation(
        "scan.c",
        "workers[ready].scratch = take_scratch(e, strip)",
        "workers[ready].scratch = ready ? workers[0].scratch : take_scratch(e, strip)",
        "threads: memory of their own",
    ),
    Mutation("binding.c", "    if (e->strip != strip)\n        drop_idle(e);", "", "memory of a former scan fits"),
    # Counting of scores ---------------------------------------------------------------------------------------------
    Mutation("count.h", "value = number + 0;", "value = number;", "zeros of both signs are one"),
    Mutation(
        "count.h", "(0 - (bits >> (KEY_BITS - 1)))", "(bits >> (KEY_BITS - 1))", "negative numbers are turned round"
    ),
    Mutation("count.h", "? n - first : KEYS;\n        for", "? 0 : KEYS;\n        for", "the last scores are counted"),
    Mutation(
        "count.h", "? n - first : KEYS;\n        whole", "? 0 : KEYS;\n        whole", "so they are by lower digits"
    ),
    Mutation("count.h", "bins[key[i] >> shift]", "bins[key[i] & 0xffff]", "the right bits are counted"),
    Mutation("count.h", "any |= from_low < size", "any = from_low < size", "a block that has some is counted"),
    Mutation("count.h", "below = from_low > below", "below = from_low < below", "the neighbour below is the highest"),
    Mutation("count.h", "below < low && below", "below", "the neighbour below is outside the bin"),
    Mutation("count.h", "above = from_end < above", "above = from_end > above", "the neighbour above is the lowest"),
    Mutation("count.h", "above >= end && end && above", "above", "the neighbour above is outside the bin"),
    Mutation("count.h", "above < edges[1]", "above > edges[1]", "of several calls the nearest neighbour is kept"),
]
