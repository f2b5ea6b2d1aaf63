"""The sentences of a diagnosis in Chinese: a table of patterns, English beside Chinese, put together as they are.

A diagnosis is plain English text. Here it is taken apart along the same patterns that it was put together by; what is
in braces is taken over, and ``{+name}`` is a part with patterns of its own. A text that fits no pattern has no Chinese,
and stays English as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

Pairs = Sequence[tuple[str, str]]

MESSAGE: Pairs = (
    ("{+where}: expected {+expected}, got {+got}; it was made by {op} at {place}: {sum}",
     "{where}：应为 {expected}，实为 {got}；它来自 {place} 的 {op}：{sum}"),
    ("{+where}: expected {+expected}, got {+got}; it was made by {op}: {sum}",
     "{where}：应为 {expected}，实为 {got}；它来自 {op}：{sum}"),
    ("{+where}: expected {+expected}, got {+got}", "{where}：应为 {expected}，实为 {got}"),
)  # fmt: skip
WHERE: Pairs = (
    ("the model ({op}), made at {place}", "模型（{op}），写于 {place}"),
    ("the model ({op}) at {place}", "模型（{op}），{place}"),
    ("{path} ({op}) at {place}", "{path}（{op}），{place}"),
    ("{path} ({op}), made at {place}", "{path}（{op}），写于 {place}"),
    ("the model ({op})", "模型（{op}）"),
    ("{path} ({op})", "{path}（{op}）"),
)
EXPECTED: Pairs = (
    ("{n} input channels ({m} in each of {g} groups)", "{n} 个输入通道（{g} 组，每组 {m} 个）"),
    ("{n} input channels", "{n} 个输入通道"),
    ("num_features = {n} channels", "num_features = {n} 个通道"),
    ("at least {n} elements for a kernel of {k} with dilation {d}", "至少 {n} 个元素（卷积核 {k}，膨胀 {d}）"),
    ("at least {n} elements for a kernel of {k}", "至少 {n} 个元素（卷积核 {k}）"),
    ("room for one window of {n}", "至少放得下一个大小为 {n} 的窗口"),
    ("equal sizes, or 1, in dimension {d}", "第 {d} 维大小相等，或其中一个为 1"),
    ("equal sizes but in dim {d}", "除第 {d} 维外大小都相等"),
    ("equal numbers of dimensions", "维数相同"),
    ("inner sizes equal in {both}", "{both} 中内侧的大小相等"),
    ("{sum} elements", "{sum} 个元素"),
    ("{sum}, a multiple of {n}", "{sum}，是 {n} 的倍数"),
    ("memory that can be seen as {shape}", "内存可以直接看作 {shape}"),
    ("{n} or {m} dimensions ({layout})", "{n} 维或 {m} 维（{layout}）"),
    ("{n} dimensions ({layout})", "{n} 维（{layout}）"),
    ("a tensor of {n} or {m} dimensions", "{n} 维或 {m} 维的张量"),
    ("a tensor of {n} dimensions", "{n} 维的张量"),
    ("a dim from {a} to {b}", "dim 在 {a} 到 {b} 之间"),
    ("a target of {a}, class indices, for predictions of {b}", "目标为 {a} 的类别序号（预测为 {b}）"),
    ("a target of {shape}", "目标的形状为 {shape}"),
    ("a hidden state of {shape}", "隐藏状态的形状为 {shape}"),
    ("last sizes {shape}", "最后几维为 {shape}"),
    ("channels a multiple of {n}", "通道数是 {n} 的倍数"),
    ("more than 1 value per channel in training", "训练时每个通道多于 1 个值"),
    ("indices from {a} to {b}", "序号在 {a} 到 {b} 之间"),
    ("attn_mask of {shape}", "attn_mask 的形状为 {shape}"),
    ("an attn_mask of {shape}", "attn_mask 的形状为 {shape}"),
    ("a key_padding_mask of {shape}", "key_padding_mask 的形状为 {shape}"),
    ("(N, L, H_in), since batch_first=True", "(N, L, H_in)，因为 batch_first=True"),
    ("source and target of one batch", "源和目标的批量相同"),
    ("{n} targets, one for each prediction", "{n} 个目标，每个预测一个"),
)
GOT: Pairs = (
    ("{n} (the last size of {shape})", "{n}（{shape} 的最后一维）"),
    ("{n} (padding included)", "{n}（含填充）"),
    ("{n} (padding {p})", "{n}（填充 {p}）"),
    ("{a} and {b} ({c} and {d})", "{a} 和 {b}（{c} 和 {d}）"),
    ("{a} and {b}", "{a} 和 {b}"),
    ("{n} in {shape}", "{shape} 中的 {n}"),
    ("{n} dimensions: {shape}", "{n} 维：{shape}"),
    ("{shape} as {wanted}", "要把 {shape} 看作 {wanted}"),
    ("strides {strides}: use reshape, or contiguous() first", "步长 {strides}：用 reshape，或先用 contiguous()"),
)
FIX: Pairs = (
    ("In {place}, where {name} is made, change its shape from {old} to {new}: one row for each of {n} positions.",
     "在 {place}，把 {name} 的形状从 {old} 改为 {new}：{n} 个位置各一行。"),
    ("In {place}, change {+what} from {old} to {new} and {other} to {more}.",
     "在 {place}，把 {what} 从 {old} 改为 {new}，把 {other} 改为 {more}。"),
    ("In {place}, change {+what} from {old} to {new}.", "在 {place}，把 {what} 从 {old} 改为 {new}。"),
    ("Change {+what} from {old} to {new}.", "把 {what} 从 {old} 改为 {new}。"),
    ("At {place}, {+words}: write {new} instead of {old}.", "在 {place}，{words}：把 {old} 写成 {new}。"),
    ("At {place}, write {new} instead of {old}.", "在 {place}，把 {old} 写成 {new}。"),
    ("In {place}, write {new} instead of {old}.", "在 {place}，把 {old} 写成 {new}。"),
    ("Before {path} (called at {place}), {+words}: insert {new}.",
     "在 {path} 之前（调用于 {place}），{words}：加入 {new}。"),
    ("Where the model is called, give it {+input}: an input of {new} instead of {old}.",
     "调用模型时，{input}：输入 {new}，而不是 {old}。"),
    ("Where the model is called, give argument {n} {+input}: an input of {new} instead of {old}.",
     "调用模型时，第 {n} 个参数{input}：{new}，而不是 {old}。"),
    ("Give targets of the predictions' batch: {new} instead of {old}.",
     "给与预测批量相同的目标：{new}，而不是 {old}。"),
    ("Then {+fix}", "然后{fix}"),
)  # fmt: skip
WHAT: Pairs = (
    ("{name} of the model, which is {attribute} of {layer} ({kind}),",
     "模型的 {name}（即 {layer}（{kind}）的 {attribute}）"),
    ("{name} of {owner} ({its}), which is {attribute} of {layer} ({kind}),",
     "{owner}（{its}）的 {name}（即 {layer}（{kind}）的 {attribute}）"),
    ("{attribute} of the model ({kind})", "模型（{kind}）的 {attribute}"),
    ("{attribute} of {layer} ({kind})", "{layer}（{kind}）的 {attribute}"),
)  # fmt: skip
INPUT: Pairs = (
    ("a channel, {call}", "加上通道维 {call}"),
    ("a batch, and the channels first, {call}", "加上批量维，并把通道放到前面 {call}"),
    ("a batch and a channel, {call}", "加上批量维和通道维 {call}"),
    ("a batch, {call}", "加上批量维 {call}"),
    ("{n} channels", "给 {n} 个通道"),
    ("sizes that are multiples of {n}", "大小取 {n} 的倍数"),
    ("sizes of {sizes}, the smallest that work", "大小取 {sizes}，这是可用的最小值"),
    ("sizes of {sizes}", "大小取 {sizes}"),
    ("at most {n} steps", "至多 {n} 步"),
    ("the channels where the layer looks for them, {call}", "把通道放到该层所要的位置 {call}"),
    ("its features last, {call}", "把特征放到最后一维 {call}"),
    ("one dimension less, {call}", "减少一维 {call}"),
    ("its colours without the transparency, {call}", "只给颜色，不要透明度 {call}"),
    ("a batch of at least {n} (or call eval())", "批量至少为 {n}（或调用 eval()）"),
    ("the shape of pictures, {call}", "给图片的形状 {call}"),
    ("the size that the positions were made for, {size}", "给位置编码所对应的大小 {size}"),
    ("its one channel {n} times", "把唯一的通道重复 {n} 次"),
)
WORDS: Pairs = (
    ("flatten all but the batch, since a Linear takes rows", "除批量外全部展平，因为 Linear 按行接收"),
    ("flatten the maps before they are joined", "先展平特征图再拼接"),
    ("average over the places, as a global pooling does", "对所有位置取平均，如同全局池化"),
    ("keep the batch as its own dimension", "让批量保持为单独的一维"),
    ("let the sizes follow what comes", "让大小跟随实际输入"),
    ("bring one map to the size of the other", "把一张特征图缩放到另一张的大小"),
    ("bring the map from further down to the size of the skip", "把来自下层的特征图缩放到跳连的大小"),
    ("bring the {n} features to the last dimension", "把 {n} 个特征移到最后一维"),
    ("bring the predictions to the target's height and width", "把预测缩放到目标的高和宽"),
    ("leave the states out; the layer begins with zeros that fit", "不传状态，该层会从合适的零开始"),
    ("leave this pooling out, since nothing is left for it", "去掉这次池化，已没有可池化的元素"),
    ("take as many positions as there are", "有多少位置就取多少"),
    ("name a dimension that the tensor of {n} dimensions has", "{n} 维张量要用它有的维"),
    ("put the features second for it, where a BatchNorm looks for them", "把特征放到第二维，BatchNorm 在那里找"),
    ("put the features last, where a recurrent layer looks for them", "把特征放到最后一维，循环层在那里找"),
    ("put the classes second, where a class loss looks for them", "把类别放到第二维，分类损失在那里找"),
    ("put the channels second", "把通道放到第二维"),
    ("give class indices instead of one-hot rows", "用类别序号代替独热行"),
    ("give the target the same last 1", "给目标也加上最后的 1"),
    ("take the last 1 from the predictions", "去掉预测最后的 1"),
    ("take the last 1 from the target", "去掉目标最后的 1"),
    ("take out the dimension of 1", "去掉大小为 1 的维"),
    ("use reshape, which copies where the elements do not follow each other in memory",
     "用 reshape，元素在内存中不连续时它会复制"),
    ("keep the result, since {op} changes nothing in place", "保留结果，因为 {op} 不会就地改变"),
    ("put {made} of __init__ on the skip", "在跳连上用 __init__ 的 {made}"),
    ("join along dim={n}, the only dimension in which the tensors differ", "沿 dim={n} 拼接，张量只在这一维不同"),
    ("call {name}, which is never called, since {old} has run already", "调用从未用到的 {name}，{old} 已经运行过"),
    ("count the classes from 0", "类别从 0 开始数"),
    ("give each of the {n} heads its mask", "给 {n} 个头各一份掩码"),
    ("give the maps the sizes that {n} elements have", "给特征图 {n} 个元素所对应的大小"),
    ("give the rows the shape of maps of {size} with {n} channels", "把各行变成 {n} 个通道、{size} 的特征图"),
    ("give it the dimensions that it lacks, so that it is spread over them", "补上它缺少的维，使它在这些维上展开"),
    ("give it the dimensions that it lacks", "补上它缺少的维"),
    ("give the row its batch", "给这一行加上批量维"),
    ("give each step its one feature", "给每一步它唯一的特征"),
    ("take the steps into the batch", "把各步并入批量"),
    ("take the last step of the sequence", "取序列的最后一步"),
    ("take the batch from the tensor", "批量大小从张量里取"),
    ("take all {n} sizes of {shape}", "取 {shape} 的全部 {n} 个大小"),
    ("transpose its last two dimensions", "转置它的最后两维"),
    ("transpose the first matrix: both have {n} rows", "转置第一个矩阵：两者都有 {n} 行"),
    ("transpose the second matrix: both have {n} as their last size", "转置第二个矩阵：两者的最后一维都是 {n}"),
    ("normalise over the channels, which a LayerNorm looks for in the last dimension",
     "对通道归一化，LayerNorm 在最后一维找它们"),
    ("make each column of the maps one step, channels and rows its features",
     "把特征图的每一列作为一步，通道和行作为它的特征"),
    ("make each place of the maps one step, its channels the features", "把特征图的每个位置作为一步，通道作为特征"),
    ("repeat it for the whole batch", "为整个批量重复它"),
    ("turn the mask round: one row for each of the batch", "把掩码转过来：批量中每个样本一行"),
    ("put the targets in one row too", "把目标也排成一行"),
    ("flatten the target too", "把目标也展平"),
)  # fmt: skip
_PARTS = {"where": WHERE, "expected": EXPECTED, "got": GOT, "what": WHAT, "input": INPUT, "words": WORDS, "fix": FIX}
_FORMULA = re.compile(r"(\w+ = )?[^a-z]*(floor[^a-z]*)*")  # numbers, shapes, sums: the same in every language


def chinese(text: str) -> str | None:
    """A diagnosis's message or an edit's text in Chinese; ``None`` where some part of it fits no pattern."""
    found = _through(text, MESSAGE)
    if found is not None:
        return found
    parts = [_through(part, FIX) for part in re.split(r"(?<=\.) (?=(?:Then|At|In|Where|Change|Before) )", text)]
    known = [part for part in parts if part is not None]
    return "".join(known) if len(known) == len(parts) else None


def _through(text: str, pairs: Pairs) -> str | None:
    for english, told in pairs:
        match = _pattern(english).fullmatch(text)
        if match is None:
            continue
        parts = {name.removesuffix("_"): _part(name, part) for name, part in match.groupdict().items()}
        if None not in parts.values():
            return told.format(**parts)
    return None


def _part(name: str, text: str) -> str | None:
    """A part with patterns of its own; one of the others as it is. A formula needs no translation."""
    kind = name.removesuffix("_")
    if not name.endswith("_"):
        return text
    if kind == "fix":
        return _through(text[0].upper() + text[1:], FIX)
    found = _through(text, _PARTS[kind])
    return text if found is None and kind in ("expected", "got") and _FORMULA.fullmatch(text) else found


@cache
def _pattern(english: str) -> re.Pattern[str]:
    """A pattern with a group for each brace; those that have patterns of their own end with an underscore."""
    pieces = re.split(r"(\{\+?\w+\})", english)
    made = ""
    for piece in pieces:
        name = piece.strip("{+}")
        made += re.escape(piece) if not piece.startswith("{") else f"(?P<{name}{'_' * ('+' in piece)}>.+?)"
    return re.compile(made, re.DOTALL)
