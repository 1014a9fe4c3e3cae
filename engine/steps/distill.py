"""Knowledge distillation: a small student learns from a larger teacher."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.artifact import Artifact
from engine.errors import BadInput
from engine.plugin import option
from engine.steps.base import Context, Step
from engine.training import LOSSY


@dataclass(frozen=True)
class Distill(Step):
    """Train a smaller student to give the teacher's answers, soft probabilities and all.

    Helps most when labels are few, because unlabelled data teaches too. Run it again with `control`
    to see what the same student reaches from labels alone.
    """

    name = "distill"
    title = "Distillation"
    formats = {"torch-module": "torch-module"}
    uses = ("sample", "dataset", "teacher", "seed", "device", "threads")
    requires = ("torch", "torch-pruning")
    kind = "training"
    paper = "Hinton et al. 2015, https://arxiv.org/abs/1503.02531"

    student: str = option(
        "narrower", "narrower or shallower (than this model), same (this model learns from another), or an architecture"
    )
    teacher: str = option("", "Model to learn from; this model itself when empty", kind="model")
    arguments: str = option("", "Arguments of the student's architecture, as name=value, name=value")
    ratio: float = option(0.5, "Fraction of channels that a narrower student lacks", min=0.05, max=0.95)
    fresh: bool = option(False, "Start a narrower or shallower student from new weights, not the model's own")
    temperature: float = option(4.0, "How soft the teacher's probabilities are made", min=0.5, max=50.0)
    alpha: float = option(0.7, "Weight of the teacher against the labels", min=0.0, max=1.0)
    features: float = option(0.0, "Weight of matching features before the last layer; 0 is off", min=0.0, max=100.0)
    labels: int = option(0, "Use only this many labels; 0 uses all there are", min=0, max=100_000_000)
    control: bool = option(False, "Train the student from labels alone, for comparison")
    epochs: int = option(20, "How often to go through the training samples", min=1, max=1000)
    learning_rate: float = option(3e-3, "Largest step of the optimizer", min=1e-8, max=10.0)
    batch_size: int = option(64, "Samples in one update", min=1, max=4096)
    augmentation: str = option(
        "none", "Change training images at random", choices=("none", "shift", "flip", "shift-flip")
    )
    mixed_precision: bool = option(False, "Compute in BF16 or FP16 where that is safe (GPU)")

    def apply(self, source: Artifact, context: Context) -> Artifact:
        import torch

        from engine.formats import torch_module
        from engine.torch_bridge import positional
        from engine.training.in_step import forget_checkpoints
        from engine.training.students import make_student, start_afresh

        data = self.data(context)
        teacher = self.load_teacher(source, context)
        torch.manual_seed(context.seed)
        inputs = positional(context.sample(), context.spec)
        student = make_student(torch_module.load(source.path), self.student, self.arguments, self.ratio, inputs)
        if self.fresh and student.record:
            start_afresh(student.module, context.seed)
        curves = self.train(student.module, teacher, data, context)
        if student.architecture:
            arguments = student.arguments or {}
            path = torch_module.write(context.folder, student.architecture, arguments, student.module.state_dict())
        else:
            path = torch_module.save(context.folder, student.module, source.path, student.record)
        forget_checkpoints(context)
        count = {
            name: sum(each.numel() for each in module.parameters())
            for name, module in (("student", student.module), ("teacher", teacher))
        }
        return source.derive(
            "torch-module",
            path,
            lossy=LOSSY,
            training=[*source.details.get("training", []), curves],
            distillation={"parameters": count, "control": self.control, "temperature": self.temperature},
        )

    @classmethod
    def replay(cls, module: Any, record: Mapping[str, Any]) -> Any:
        from engine.training.students import keep_layers

        return keep_layers(module, record["kept"])

    def data(self, context: Context) -> tuple[Any, Any]:
        """The training split with as many labels as are to be used, and the validation split."""
        from engine.training.distillation import labelled_only, limit_labels
        from engine.training.tensors import require_labels, tensors_of

        train = limit_labels(tensors_of(context.dataset("train"), context.spec), self.labels, context.seed)
        if self.control:
            require_labels(train, "The control without a teacher")
            train = labelled_only(train)
        return train, tensors_of(context.dataset("validation"), context.spec)

    def load_teacher(self, source: Artifact, context: Context) -> Any:
        """The teacher's module, in eval mode; raises BadInput when there is none to learn from."""
        from engine.formats import torch_module, torchscript

        if not self.teacher and self.student == "same":
            raise BadInput("A model can't learn from itself.", "Choose a teacher, or make the student narrower.")
        chosen = context.model(self.teacher) if self.teacher else source
        loaders = {"torch-module": torch_module.load, "torchscript": torchscript.load}
        if chosen.format not in loaders:
            raise BadInput(
                f"A teacher of format {chosen.format} can't be used.",
                "Use weights with an architecture, or TorchScript.",
            )
        return loaders[chosen.format](chosen.path).eval()

    def train(self, student: Any, teacher: Any, data: tuple[Any, Any], context: Context) -> list[dict[str, Any]]:
        """Train the student, from the teacher or, as the control, from labels alone."""
        import torch

        from engine.pruning.outputs import output_layers
        from engine.training.distillation import Distillation, Tap, check_match, gives_classes
        from engine.training.in_step import train_module
        from engine.training.objective import Classification
        from engine.training.plan import Plan
        from engine.training.tensors import scores_index

        index = scores_index(context.spec)
        sample = data[0].take(torch.arange(min(2, len(data[0]))))
        classes = gives_classes(teacher, sample, index, context.spec.task)
        check_match(student.eval(), teacher, sample, index, classes)
        taps = None
        if self.features and not self.control:
            ends = [output_layers(each, sample.inputs) for each in (student, teacher)]
            if not ends[0] or not ends[1]:
                raise BadInput("Features can be matched only between PyTorch modules.", "Set features to 0.")
            taps = (Tap(ends[0][0]), Tap(ends[1][0]))
        plan = Plan(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            augmentation=self.augmentation,
            mixed_precision=self.mixed_precision,
        )
        teacher.to(context.device)
        objective = Distillation(teacher, index, self.temperature, self.alpha, classes, self.features, taps)
        try:
            return train_module(
                student,
                data,
                plan,
                context,
                what=self.title,
                objective=Classification(index) if self.control else objective,
            )
        finally:
            for each in taps or ():
                each.close()
