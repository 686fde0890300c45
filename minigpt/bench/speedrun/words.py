"""The words of a speedrun's report, in both languages: headings, what was done, and the legend."""

from minigpt.settings.language import Bilingual

SPEEDRUN_HEAD = Bilingual(
    "track|steps|characters|seconds|set-up|compile|loss|reached|yardstick",
    "赛道|步数|字符数|秒|准备|编译|损失|达到|标尺",
)
SPEEDRUN_COLUMNS = (8, 7, 12, 16, 8, 9, 18, 9, 11)  # columns
TEXT = Bilingual(
    "Tiny Shakespeare by characters: 90 % to train, 10 % to validate",
    "Tiny Shakespeare，按字符：90 % 用于训练，10 % 用于验证",
)
OTHER_TEXT = Bilingual(
    "{}: this is not Tiny Shakespeare, so the losses and times can't be compared with those of others",
    "{}：这不是 Tiny Shakespeare，所以损失和时间不能与别人的比较",
)
OF = Bilingual("{} of {}", "{}/{}")
STEPS_DONE = Bilingual("{}: {:,} of {:,} steps in {:.1f} s", "{}：{:,}/{:,} 步，用时 {:.1f} 秒")
LOSS = Bilingual(", loss {:.4f}", "，损失 {:.4f}")
AT_TARGET = Bilingual("{}; at most {} after {:,} steps and {:.1f} s", "{0}；在第 {2:,} 步、{3:.1f} 秒时首次不高于 {1}")
NEVER = Bilingual(
    "{}; its loss never came down to {}, so the ratio has a > before it", "{}；损失从未降到 {}，所以比值前有 >"
)
ESTIMATED = Bilingual(
    "{}\n  ≈: estimated; {:,} steps at this speed would take {:.1f} s ({:,} were run)",
    "{}\n  ≈：估算值；按这个速度，{:,} 步需要 {:.1f} 秒（实际运行了 {:,} 步）",
)
STOPPED = Bilingual(
    "stopped: {} more runs were asked for, and are not counted", "已停止：还有 {} 次训练没有完成，不计在内"
)
RUN = Bilingual("track {}, seed {}: {:.1f} s{}, loss {:.4f}", "赛道 {}，种子 {}：{:.1f} 秒{}，损失 {:.4f}")
IN = Bilingual(" ({}{})", "（{}{}）")
COMPILED = Bilingual(", compiled", "，编译")
LEGEND = Bilingual(
    """\
seconds: of training, without set-up, compilation and evaluations. set-up: reading the text, building the model.
compile: what the first 3 steps took beyond the median step. loss: nats per character over the whole validation split.
yardstick: the seconds of nanoGPT's command up to a loss of 1.88 over those of the track, which has the same target.
  Tracks compute in the precision of their recipe ("auto": 16 bits where the CPU has instructions for it), nanoGPT's
  command in float32, as nanoGPT does. Compilation is shown apart. >: at least; ≈: estimated.""",
    """\
秒：训练的时间，不含准备、编译和评估。准备：读取文本、构建模型的秒数。编译：前 3 步比每步时间的中位数多用的秒数。
损失：整个验证集上的平均值，单位为奈特/字符。
标尺：nanoGPT 的命令降到损失 1.88 的秒数与赛道的秒数之比，赛道的目标与它相同。
  赛道用训练方案规定的精度计算（“auto”：CPU 有相应指令时用 16 位），nanoGPT 的命令用 float32，与 nanoGPT 一样。
  编译时间单独列出。>：至少；≈：估算值。""",
)
