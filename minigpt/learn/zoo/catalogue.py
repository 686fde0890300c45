"""The ten bugs of the zoo, with what they look like, what tells them from a healthy run, and what catches them."""

import math

from minigpt.evaluation import sanity
from minigpt.learn.exercises.exercise import Words
from minigpt.learn.zoo import signatures, switches
from minigpt.learn.zoo.bug import Bug

LAST_LOSS = "training loss of the last ten steps, in nats per token"
GAP = "validation loss less the training loss around it, in nats per token"

_BUGS = (
    Bug(
        name="targets-not-shifted",
        says=Words(
            "The target of a position is its own token. The model learns to copy, and the loss falls to almost 0, on "
            "the validation text, too.",
            "每个位置的目标就是它自己的词元。模型只学会了复制，训练损失和验证损失都降到接近 0。",
        ),
        apply=switches.unshifted_targets,
        signature=signatures.last_loss,
        says_signature=LAST_LOSS,
        margin=-1.0,
        caught_by=lambda specimen: sanity.check_targets(specimen.run.data),
    ),
    Bug(
        name="leaked-mask",
        says=Words(
            "The causal mask is one diagonal too wide, so each position sees the token that it has to predict. The "
            "loss starts as usual, then falls below what any model can reach.",
            "因果掩码多放开了一条对角线，每个位置都能看到自己要预测的词元。损失起初正常，随后降到任何模型都达不到的水平。",
        ),
        apply=switches.leaked_mask,
        signature=signatures.last_validation_loss,
        says_signature="last validation loss, in nats per token",
        margin=-1.0,
        caught_by=lambda specimen: sanity.check_causal(specimen.model, specimen.ids),
        settings={"steps": 250, "eval_every": 25},
    ),
    Bug(
        name="no-warm-up",
        says=Words(
            "The learning rate is high from the first step on. The loss rises above that of a uniform guess, and stays "
            "on a plateau after it.",
            "学习率从第一步起就很高。损失先升到均匀猜测之上，之后停在一个平台上。",
        ),
        apply=switches.nothing,
        signature=signatures.early_rise,
        says_signature="largest rise of the loss above that of the first step, in nats per token",
        margin=0.3,
        caught_by=lambda specimen: sanity.check_start(specimen.history),
        sick_settings={"learning_rate": 0.3, "warmup_steps": 0},
    ),
    Bug(
        name="dead-initialisation",
        says=Words(
            "All matrices start at 0. No gradient reaches any weight, and the loss stays at log V.",
            "所有矩阵都从 0 开始。梯度传不到任何权重，损失停在 log V。",
        ),
        apply=switches.dead_initialisation,
        signature=signatures.last_loss,
        says_signature=LAST_LOSS,
        margin=1.0,
        caught_by=lambda specimen: sanity.check_gradients(specimen.model, specimen.run.data),
    ),
    Bug(
        name="double-softmax",
        says=Words(
            "The model returns probabilities, and the loss applies softmax again. The gradient is about V times too "
            "small, and the loss can't fall below log(V − 1 + e) − 1.",
            "模型返回的已是概率，损失函数又做了一次 softmax。梯度约小了 V 倍，损失降不到 log(V − 1 + e) − 1 以下。",
        ),
        apply=switches.double_softmax,
        signature=signatures.last_loss,
        says_signature=LAST_LOSS,
        margin=0.5,
        caught_by=lambda specimen: sanity.check_logits(specimen.model, specimen.ids),
    ),
    Bug(
        name="dropout-in-evaluation",
        says=Words(
            "model.eval() is not called, so that dropout acts on the validation loss, too: it is too high and differs "
            "from call to call.",
            "没有调用 model.eval()，dropout 在验证时仍然起作用：验证损失偏高，而且每次计算都不同。",
        ),
        apply=switches.dropout_in_evaluation,
        signature=signatures.late_gap,
        says_signature=GAP,
        margin=0.03,
        caught_by=lambda specimen: sanity.check_evaluation(specimen.model, specimen.ids),
        settings={"dropout": 0.4, "learning_rate": 5e-3},
    ),
    Bug(
        name="stale-gradients",
        says=Words(
            "zero_grad() is missing, so each update follows the sum of all gradients so far. Their norm grows from "
            "step to step, and the loss stops falling.",
            "漏掉了 zero_grad()，每次更新用的都是至今所有梯度之和。梯度范数逐步增大，损失不再下降。",
        ),
        apply=switches.stale_gradients,
        signature=signatures.last_gradient_norm,
        says_signature="gradient norm of the last ten steps",
        margin=3.0,
        caught_by=lambda specimen: sanity.check_cleared(specimen.model),
        settings={"clip_norm": math.inf, "learning_rate": 3e-3},
    ),
    Bug(
        name="decay-of-norms",
        says=Words(
            "Weight decay acts on the gains of norms and on biases, too, and pulls them to 0. The loss is a little "
            "higher; the log shows nothing else.",
            "权重衰减也作用于归一化层的增益和偏置，把它们拉向 0。损失略高，日志里看不出别的迹象。",
        ),
        apply=switches.decay_everything,
        signature=signatures.mean_gain,
        says_signature="mean gain of the norms after training",
        margin=-0.1,
        caught_by=lambda specimen: sanity.check_decay(specimen.run.optimizer),
        settings={"weight_decay": 0.5},
    ),
    Bug(
        name="validation-in-training",
        says=Words(
            "The training text contains the validation text. The model learns both by heart, so that the validation "
            "loss follows the training loss down where it should rise away from it.",
            "训练文本里混入了验证文本。模型把两者都背了下来，验证损失本该高出训练损失，却跟着一起下降。",
        ),
        apply=switches.validation_in_training,
        signature=signatures.late_gap,
        says_signature=GAP,
        margin=-0.3,
        caught_by=lambda specimen: sanity.check_splits(specimen.run.data, specimen.validation),
        settings={"steps": 250, "eval_every": 25},
        few_stories=True,
    ),
    Bug(
        name="fp16-without-loss-scale",
        says=Words(
            "Small gradients become 0 in float16, since the loss is not scaled. So small a model hardly notices; in a "
            "large one some weights stop learning.",
            "损失没有缩放，较小的梯度在 float16 里变成 0。这么小的模型几乎不受影响；在大模型里，一部分权重会停止学习。",
        ),
        apply=switches.no_loss_scale,
        signature=signatures.lost_gradients,
        says_signature="share of the gradient's numbers that are 0",
        margin=0.02,
        caught_by=lambda specimen: sanity.check_underflow(specimen.model, specimen.run.data, specimen.run.precision),
        settings={"precision": "fp16", "init_std": 0.003, "steps": 40, "eval_every": 10, "learning_rate": 5e-4},
    ),
)

#: The bugs by name.
BUGS: dict[str, Bug] = {bug.name: bug for bug in _BUGS}
