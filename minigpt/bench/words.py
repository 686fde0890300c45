"""The words of the tables that are printed, in both languages: headings, and the legend below each table.

What JSON has, too, stays English: names of contenders, of settings and of machines, and why one of them did not run.
Headings are cut at ``|``.
"""

from minigpt.settings.language import Bilingual

IN_TURN = Bilingual("medians of {} rounds in turn", "轮流测量 {} 轮，取中位数")
AFTER_MACHINE = Bilingual("{}; {}", "{}；{}")

TRAINING_HEAD = Bilingual(
    "shape||tokens/s|ratio|GFLOP/s|of matmul|step memory", "形状||词元/秒|比值|GFLOP/s|占矩阵乘|每步内存"
)
TRAINING_LEGEND = Bilingual(
    """\
ratio: tokens/s over transformers' in the same precision, compiled as it is. GFLOP/s: 6 × matrix parameters +
6·L·D·(T+1) per token, over the time. of matmul: the share of what a large product of the same dtype reached in the same
rounds. step memory: the most bytes of tensors that are alive at once in a step, beyond the weights and moments.
minigpt fast: the recipe "fast" with Muon, another model, which is in no ratio of the last lines.""",
    """\
比值：每秒词元数与 transformers 之比，精度相同，编译与否也相同。GFLOP/s：每个词元按 6 × 矩阵参数 + 6·L·D·(T+1)
次运算计，再除以时间。占矩阵乘：与同样几轮里同一数据类型的大矩阵乘法的速度之比。每步内存：一步之中同时存在的张量
最多占多少字节，权重和优化器的矩不计在内。minigpt fast：使用 Muon 的训练方案“fast”，是另一个模型，不参与最后几行的
比值。""",
)
AS_THEY_COME = Bilingual("as they come {:.2f} × transformers", "默认设置下是 transformers 的 {:.2f} 倍")
BEST_OF_EACH = Bilingual("the best of each, {} over {}: {:.2f}", "各取最快，{} 与 {} 之比：{:.2f}")
OF_SHAPE, BETWEEN = Bilingual("{}: {}", "{}：{}"), Bilingual("; ", "；")

LOSS_HEAD = Bilingual(
    "vocabulary||ms|ratio|GFLOP/s|of matmul|of copy|peak memory", "词表||毫秒|比值|GFLOP/s|占矩阵乘|占复制|内存峰值"
)
LOSS_TITLE = Bilingual("{:,} rows of width {}, {}; {}", "{:,} 行，宽度 {}，{}；{}")
LOSS_LEGEND = Bilingual(
    """\
ratio: the time of PyTorch's cross_entropy over this one's, forward and backward. GFLOP/s: 6 × rows × width ×
vocabulary, over the time. of matmul, of copy: the shares of what a large product, and a large copy, reached in the same
rounds; the bytes are those of the vectors, the matrix and both gradients, each once. peak memory: beyond the vectors
and the matrix. formula: logits, log-softmax, target. torch: logits and F.cross_entropy. torch linear:
F.linear_cross_entropy. logits: next_token_loss of all logits, our default. chunked, triton: never all logits.""",
    """\
比值：PyTorch 的 cross_entropy 的时间与这一种的时间之比，含前向与反向。GFLOP/s：6 × 行数 × 宽度 × 词表，除以时间。
占矩阵乘、占复制：与同样几轮里一次大矩阵乘法、一次大块复制的速度之比；字节数按向量、矩阵和两个梯度各计一次。
内存峰值：向量和矩阵不计在内。formula：logits、log-softmax、取目标。torch：logits 和 F.cross_entropy。
torch linear：F.linear_cross_entropy。logits：对全部 logits 用 next_token_loss，即我们的默认做法。chunked、triton：
从不同时保存全部 logits。""",
)

STEP_HEAD = Bilingual("step||measured|ratio|predicted", "训练步||实测|比值|预测")
MEMORY_HEAD = Bilingual("attention|exponent", "注意力|指数")
MEMORY_TITLE = Bilingual(
    "{} heads of width {}, one sequence, float32, forward and backward",
    "{} 个头，每头宽度 {}，一个序列，float32，前向与反向",
)
MEMORY_LEGEND = Bilingual(
    """\
exponent: p of bytes ~ T^p, fitted to the measurements; 1 is linear, 2 quadratic. measured: the most bytes of tensors
that are alive at once, of attention beyond q, k and v, of a step beyond the weights and moments. ratio: to the step of
transformers. predicted: minigpt.cost.predict_memory of the same step, without building the model. chunked:
loss="chunked"; recomputed: activation_checkpointing=True.""",
    """\
指数：对实测值拟合字节数 ~ T^p 得到的 p；1 为线性，2 为平方。实测：同时存在的张量最多占多少字节；注意力不计
q、k、v，训练步不计权重和优化器的矩。比值：与 transformers 的训练步之比。预测：minigpt.cost.predict_memory 对同一
训练步的结果，不构建模型。chunked：loss="chunked"；recomputed：activation_checkpointing=True。""",
)

TOKENIZER_HEAD = Bilingual("||MB/s|seconds|ratio", "||MB/s|秒|比值")
TOKENIZER_TITLE = Bilingual(
    "{:.1f} MB of made-up text, {:,} tokens; {}, training once", "{:.1f} MB 生成的文本，{:,} 个词元；{}，训练只测一次"
)
TOKENIZER_LEGEND = Bilingual(
    """\
train: byte pairs are learned from the text; ratio: the time of tokenizers over this one's. encode: to ids in a list;
ratio: to tiktoken's speed, on one core. Ours checks its input and calls tiktoken. prepare: from a file to shards on
disk, 16 MiB for each core and a process on each, at most 8; ratio: to that many times tiktoken's speed.""",
    """\
train：从文本学习字节对；比值：tokenizers 的时间与这一种的时间之比。encode：编码为编号的列表；比值：与 tiktoken 的速度
之比，只用一个核。我们的分词器先检查输入，再调用 tiktoken。prepare：从文件到磁盘上的分片，每个核 16 MiB、一个进程，
至多 8 个；比值：与 tiktoken 的速度乘以进程数之比。""",
)

ATTENTION_HEAD = Bilingual(
    "mask|dtype|attention|forward|backward|of roofline|ratio", "掩码|数据类型|注意力|前向|反向|占屋顶线|比值"
)
AT_MOST = Bilingual("{}: at most {:,.0f} {} and {} ({})", "{}：至多 {:,.0f} {} 和 {}（{}）")
ATTENTION_LEGEND = Bilingual(
    """\
forward, backward: {}. of roofline: each as a share of its limit. ratio: the time of both
together, of the first contender that ran at this setting over this one's.""",
    """\
前向、反向：{}。占屋顶线：各自与其上限之比。比值：前向与反向的时间之和，在这一设置下第一个能运行的与这一种之比。""",
)

GENERATION_HEAD = Bilingual("tokens/s|ratio|MB|GB/s|of products", "词元/秒|比值|MB|GB/s|占矩阵乘")
GAIN_HEAD = Bilingual("tokens/s|ratio|without", "词元/秒|比值|不用时")
GENERATION_TITLE = Bilingual(
    "{} × {}, random weights, greedy, one row: {} tokens and {} more; {} threads, torch {}",
    "{} × {}，随机权重，贪心，一行：{} 个词元，再写 {} 个；{} 个线程，torch {}",
)
READING_LIMIT = Bilingual("{}; limit {:.1f} GB/s", "{}；上限 {:.1f} GB/s")
GENERATION_LEGEND = Bilingual(
    """\
ratio: tokens/s over transformers', or over those without. MB: the bytes of the matrices that one token reads, without
keys and values; GB/s: how fast they are read. of products: tokens/s over those of the products of one row with these
matrices alone. limit: of one row with a single large float32 matrix. no cache: passes over the whole text at every
16th length. 8 prompts: of 8 lengths up to that above, float32, beside one after the other. look-up: proposes what
followed the last tokens before, float32; it pauses where that is seldom right.""",
    """\
比值：与 transformers 的每秒词元数之比，或与不用时之比。MB：每个词元要读的矩阵的字节数，键和值不计在内；GB/s：读取的
速度。占矩阵乘：与只做一行同这些矩阵相乘时的每秒词元数之比。上限：一行与单个 float32 大矩阵相乘。不用缓存：每隔 16 个
长度，对整段文本前向一次。8 个提示：8 种长度，最长如上，float32，与逐个生成相比。查找：提出上次最后几个词元之后出现的
内容，float32；很少猜对时暂停。""",
)
#: What a way to write is called in a table, where a part of its name in JSON is one of these.
GAINS = {
    "a cache": "缓存",
    "prompts together": "个提示一起",
    "look-up, ": "查找，",
    "repetitive text, ": "重复的文本，",
    "ordinary text, ": "普通的文本，",
    "random weights": "随机权重",
}

DRY = Bilingual("{}, a dry run: no figure of it says anything about speed", "{}，试运行：其中没有任何数字能说明速度")
PART_DONE, PART_DONE_IN = Bilingual("measured", "已测量"), Bilingual("measured in {:.0f} s", "已测量，用时 {:.0f} 秒")
TIME_IS_UP = Bilingual("the time was up", "时间已到")
BUSY = Bilingual(
    "this machine is busy (load {:.1f} on {} cores): {} may be far off",
    "这台机器正忙（{1} 个核上的负载为 {0:.1f}）：{2}可能相差很多",
)
THE_ESTIMATE = Bilingual("the estimate", "估算")
