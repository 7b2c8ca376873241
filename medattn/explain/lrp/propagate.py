"""Layer-wise relevance propagation, as the gradient of a rewritten network.

Each step of the network is replaced by an expression with the same value and another
derivative. Two ways to read relevance off it:

- *signal*: relevance is a tensor times its derivative. Every expression is homogeneous,
  its value the sum of its inputs times their derivatives, so nothing is lost on the
  way; a ReLU, a pooling, a sum need no rewriting at all.
- *share*: relevance is the derivative itself. Slower, but an input that is zero may be
  given relevance, as the flat and w-square rules do.

With `signal` what a rule counts and `whole` what it divides by, a neuron z becomes

    signal * [z / whole] + ledger * [z (whole - signal) / whole]    (signal)
    [z] + (signal - [signal]) * [1 / whole] + ...                   (share)

where [.] = stop_gradient and ledger = 1: its derivative is what the step's constants
have absorbed. So the books are kept where it happens, never derived as the rest.

A gate `x * s` becomes `x * [s]`: the signal takes the relevance, the gate is held.
"""

import copy

import keras
from keras import ops

from medattn.explain.backend import with_slope
from medattn.explain.graph import analysis as of
from medattn.explain.graph.linear_layers import Unit, check_axis, value
from medattn.explain.graph.trace import ACTIVATION, is_symbolic, tensors
from medattn.explain.lrp.input_independent import blind_rule, shadow
from medattn.explain.lrp.nonlinear import (
    AVERAGES,
    REGISTERED,
    RULES,
    SUMS,
    TOTALS,
    as_it_is,
    bend,
    divided,
    done,
    group_norm,
    layer_norm,
    normaliser,
    rule_of,
    softmax,
    together,
)


class Walk:
    """Runs a graph with every step replaced by its rule.

    Args:
        survey: A `Survey` of the graph.
        choose: A function from a `Unit` to one of the functions of `rules`.
        shared: Whether relevance is the derivative itself; see this module.
        blind: Whether sums, products and norms too share without a look at the values,
            see `medattn.explain.lrp.input_independent`; for rules that need no input,
            in share mode.

    Raises:
        ValueError: If a step that carries relevance has no rule.
    """

    def __init__(self, survey, choose, *, shared=False, blind=False):
        self.survey, self.choose = survey, choose
        self.shared, self.blind = shared, blind
        self.graph = survey.graph
        self.lines = []  # names of the steps that may hold a constant
        self.line_of = {}
        for step in self.graph.steps:
            if self.idle(step) or id(step.outputs[0]) in survey.folded:
                continue
            if not of.is_linear(step) and rule_of(step) is None:
                raise ValueError(
                    f"The step {step.operation.name!r} "
                    f"({type(step.operation).__name__}) has no LRP rule. Expected "
                    f"a linear layer, one of {sorted(RULES)}, or one that was given to "
                    "medattn.explain.register_rule(type, lrp=rule). "
                    f"Received: {step.operation!r}"
                )
            if self.may_hold(step):
                self.line_of[id(step.outputs[0])] = len(self.lines)
                self.lines.append(_unlike(step.operation.name, self.lines))
        self.dropped = len(self.lines)  # the last line: what had nowhere to go

    def idle(self, step):
        """Whether no relevance flows through a step."""
        outputs = of.ids(step.outputs)
        return self.survey.carriers.isdisjoint(outputs) or (
            self.survey.first.issuperset(outputs)
        )

    def may_hold(self, step):
        """Whether a step may absorb relevance."""
        if of.is_linear(step) or type(step.operation) in REGISTERED:
            return True
        name = of.name_of(step)
        if name in SUMS:
            leaves = keras.tree.flatten(step.args)
            return any(id(leaf) not in self.survey.carriers for leaf in leaves)
        bends = rule_of(step) is bend and not of.is_relu(step)
        return bends or rule_of(step) in (softmax, layer_norm, group_norm, normaliser)

    def __call__(self, images, probes, ledger=None):
        """Runs the rewritten network.

        Args:
            images: One tensor for each input of the graph, `(batch, ...)`.
            probes: Ones of their shapes. The derivative by them is the relevance: they
                weigh the image after the leading normalisation, so that relevance
                speaks of pixels.
            ledger: Ones, `(batch, lines + 1)`. The derivative by it is what each of
                `lines` has absorbed, and last what was dropped. None to leave it out.

        Returns:
            The explained output, `(batch, classes)`.
        """
        # A copy holds what one run makes, so that several threads may run it at once.
        return copy.copy(self)._run(images, probes, ledger)

    def _run(self, images, probes, ledger):
        self.ledger = ledger
        names = [id(tensor) for tensor in self.graph.inputs]
        self.values = dict(zip(names, images, strict=True))
        self.probes = dict(zip(names, probes, strict=True))
        self.begun = {}  # the same, with relevance starting there
        self.units, self.done = {}, set()
        for step in self.graph.steps:
            self.step = step
            outputs = of.ids(step.outputs)
            if self.survey.first.issuperset(outputs):
                source = tensors((step.args, step.kwargs))[0]
                results = [self.plain(step, (self.values[id(source)],), {})]
                self.probes[outputs[0]] = self.probes[id(source)]
            elif outputs[0] in self.survey.folded and not self.idle(step):
                continue  # the norm that reads it does both
            else:
                results = self.result(step)
            self.values.update(zip(outputs, keras.tree.flatten(results), strict=True))
        return self.read(self.survey.output)

    def rectified(self, step):
        """Whether nothing but a ReLU reads a step's output."""
        readers = self.survey.readers.get(id(step.outputs[0]), [])
        return len(readers) == 1 and readers[0] is not None and of.is_relu(readers[0])

    def result(self, step):
        if self.idle(step):
            args, kwargs = self.arguments(step)
            if of.is_linear(step):
                return [self.unit(step, None).output(args[0])]
            return self.plain(step, args, kwargs)
        if of.is_linear(step):
            return [self.linear(step)]
        rule = rule_of(step)
        args, kwargs = self.arguments(step)
        if self.done.intersection(of.ids((step.args, step.kwargs))):
            return [args[0]]  # a ReLU that the layer before it did
        name = of.name_of(step)
        if name in of.PADDINGS and id(step.outputs[0]) in self.survey.beginning:
            source = tensors((step.args, step.kwargs))[0]
            probe = self.plain(step, (self.probes[id(source)], *args[1:]), kwargs)
            self.probes[id(step.outputs[0])] = probe
        if not self.shared:
            return rule(self, step, *args, **kwargs)
        if self.blind and (passed := blind_rule(step)) is not None:
            return passed(self, step, args, kwargs)
        if rule is bend:
            y = ops.stop_gradient(self.plain(step, args, kwargs))
            return y + shadow(args[0])
        if rule is as_it_is and not name.startswith(AVERAGES):
            return self.placed(step, args, kwargs)
        if rule is together and name not in TOTALS:
            return together(self, step, *args, **kwargs)
        return self.lifted(step, rule, args, kwargs)

    def linear(self, step):
        """Puts a linear layer's rule in its place, its batch norm folded in."""
        first = tensors((step.args, step.kwargs))[0]
        source, norm = step, None
        if id(first) in self.survey.folded:
            source, norm = self.survey.producer[id(first)], step.operation
            first = tensors((source.args, source.kwargs))[0]
        unit = self.unit(source, norm)
        x = self.read(first)
        probe = self.probes.get(id(first))
        if self.shared:
            probe = shadow(x) + 1 if probe is None else probe
            x = ops.stop_gradient(x) * (shadow(x) + 1)
        rule = self.choose(unit)
        return self.share(step, rule(unit, x, probe), unit, x)

    def unit(self, step, norm):
        """Makes the `Unit` of a linear step; unit numbers count from the image."""
        source = tensors((step.args, step.kwargs))[0]
        for each in (step.operation, norm):
            if each is not None and type(each).__name__ == "BatchNormalization":
                check_axis(each, len(step.outputs[0].shape))
        made = Unit(
            step.operation,
            norm,
            nonnegative=id(source) in self.survey.nonnegative,
            first=id(source) in self.survey.beginning,
            fused=step.part != "whole",
        )
        made.place = self.units.setdefault(id(step.outputs[0]), len(self.units))
        made.bound = lambda number: self.at_start(source, number)
        return made

    def at_start(self, name, number):
        """Computes what stands at a place before the first layer if all pixels are one.

        Args:
            name: A tensor between the image and the first layer.
            number: The pixels' value.
        """
        if id(name) not in self.survey.producer:
            return ops.full_like(self.values[id(name)], number)
        step = self.survey.producer[id(name)]
        source = tensors((step.args, step.kwargs))[0]
        return self.plain(step, (self.at_start(source, number), *step.args[1:]), {})

    def share(self, step, terms, unit, x):
        """Gives a linear step its value, and the derivative that its rule asks for."""
        z = ops.stop_gradient(unit.output(x))
        if self.ledger is None and not self.shared:
            rectified = self.rectified(step)
            if rectified:
                # With its ReLU in one: two passes over memory less.
                z = ops.relu(z)
                self.done.add(id(step.outputs[0]))
            return carried(z, terms, unit, x, rectified)
        y = z if self.shared else 0
        for term in terms:
            whole = ops.stop_gradient(term.whole())
            size = ops.stop_gradient(term.signal)
            weight = term.weight * (ops.ones_like(z) if self.shared else z)
            if self.shared:
                y = y + (term.signal - size) * divided(weight, whole)
            else:
                y = y + term.signal * divided(weight, whole)
            if self.ledger is not None:
                rest = divided(weight * (whole - size), whole)
                nothing = weight * ops.cast(whole == 0, whole.dtype)
                y = y + self.booked(step, rest) + self.booked(step, nothing, drop=True)
        if self.ledger is not None and not self.shared:
            # What rounding leaves between the terms and z, so that the value is z.
            y = y + (z - ops.stop_gradient(y))
        elif self.ledger is not None:
            y = z + (y - ops.stop_gradient(y))
        return y

    def absorbed(self, step, constant):
        """Enters a constant: the step's value has it, its relevance is the ledger's."""
        constant = ops.stop_gradient(constant)
        if self.ledger is None:
            return constant
        return constant * self.line(step, len(constant.shape))

    def booked(self, step, share, drop=False):
        """Enters a share: in signal mode with its value, in share mode without."""
        line = self.line(step, len(share.shape), drop)
        return share * (shadow(line) if self.shared else line)

    def line(self, step, rank, drop=False):
        place = self.dropped if drop else self.line_of[id(step.outputs[0])]
        return ops.reshape(self.ledger[:, place], (-1,) + (1,) * (rank - 1))

    def placed(self, step, args, kwargs):
        """In share mode: moves entries about; what lands in a border is dropped."""
        y = self.plain(step, args, kwargs)
        if self.ledger is None or not of.name_of(step).startswith(("Pad", "ZeroPad")):
            return y
        ones = [ops.ones_like(args[0]), *args[1:]]
        empty = 1 - ops.stop_gradient(self.plain(step, ones, kwargs))
        return y + self.booked(step, empty, drop=True)

    def lifted(self, step, rule, args, kwargs):
        """In share mode: runs a rule made for signals, and converts at both ends."""
        signals = keras.tree.map_structure(
            lambda name, leaf: (
                ops.stop_gradient(leaf) * (shadow(leaf) + 1)
                if is_symbolic(name) and id(name) in self.survey.carriers
                else leaf
            ),
            (step.args, step.kwargs),
            (args, kwargs),
        )
        self.shared = False
        results = rule(self, step, *signals[0], **signals[1])
        self.shared = True

        def back(y):
            size = ops.stop_gradient(y)
            share = size + (y - size) * divided(ops.ones_like(size), size)
            if self.ledger is None:
                return share
            nothing = ops.cast(size == 0, size.dtype)
            return share + self.booked(step, nothing, drop=True)

        return keras.tree.map_structure(back, results)

    def entries(self, step, args, kwargs):
        """Marks what enters a sum without carrying relevance as the ledger's."""
        if self.ledger is None:
            return args, kwargs
        rank = len(step.outputs[0].shape)

        def entry(name, leaf):
            if is_symbolic(name) and id(name) in self.survey.carriers:
                return leaf
            if leaf is None or isinstance(leaf, (str, bool)):
                return leaf
            held = value(leaf)
            line = self.line(step, rank)
            if self.shared:
                return ops.stop_gradient(held) + shadow(line)
            return ops.stop_gradient(held) * line

        marked = keras.tree.map_structure(entry, step.args, args)
        return marked, kwargs

    def plain(self, step, args, kwargs):
        """Does what a step does, in the working precision."""
        if step.part == ACTIVATION:
            return step.operation.activation(*args)
        return done(step.operation, args, kwargs)

    def arguments(self, step):
        return keras.tree.map_structure(
            lambda leaf: self.read(leaf) if is_symbolic(leaf) else leaf,
            (step.args, step.kwargs),
        )

    def read(self, name):
        """Returns a tensor's value; relevance starts at the (normalised) image."""
        if not self.begins(name):
            return self.values[id(name)]
        if id(name) not in self.begun:
            held = ops.stop_gradient(self.values[id(name)])
            probe = self.probes[id(name)]
            self.begun[id(name)] = held + shadow(probe) if self.shared else held * probe
        return self.begun[id(name)]

    def begins(self, name):
        return id(name) in self.survey.first or any(
            name is tensor for tensor in self.graph.inputs
        )


def carried(z, terms, unit, x, rectified):
    """Gives z the derivative that the terms ask for, and keeps little for the way back.

    Of each term one factor is kept, not what it is made of; of a norm, where every
    entry of x has one reader, one factor in all.
    """
    if len(terms) == 1 and terms[0].slope is not None:
        return with_slope(z, terms[0].signal, lambda: terms[0].slope(z, rectified))
    factors = [ops.stop_gradient(divided(t.weight * z, t.whole())) for t in terms]
    if unit.kind == "BatchNormalization":
        still = ops.stop_gradient(x)
        factor = sum(
            factor * divided(ops.stop_gradient(term.signal), still)
            for term, factor in zip(terms, factors, strict=True)
        )
        return with_slope(z, x, lambda: factor)
    if len(terms) == 1:
        return with_slope(z, terms[0].signal, lambda: factors[0])
    carrier = 0
    for term, factor in zip(terms, factors, strict=True):
        nothing = ops.stop_gradient(term.signal) * 0
        carrier = carrier + with_slope(nothing, term.signal, lambda f=factor: f)
    return z + carrier


def _unlike(name, names):
    """Numbers a name that is taken already."""
    count, unlike = 1, name
    while unlike in names:
        count += 1
        unlike = f"{name} ({count})"
    return unlike
