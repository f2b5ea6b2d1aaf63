"""Every word on the pages, in English and Chinese. ``{name}`` is filled in; the mathematics is the same in both."""

from __future__ import annotations

import json
import re
from html import escape

from shapeproof.render.chinese import chinese

# key -> (English, Chinese)
STRINGS: dict[str, tuple[str, str]] = {
    "language": ("中文", "English"),
    "skip": ("Skip to the steps", "跳到各步骤"),
    "on": ("on {inputs}", "输入 {inputs}"),
    "proved": ("proved", "已证明"),
    "incomplete": ("incomplete", "不完整"),
    "mismatch": ("mismatch", "不一致"),
    "failed": ("failed", "失败"),
    "unsupported": ("no rule", "尚无规则"),
    "verdict.proved": ("Proved: all {total} steps agree with PyTorch", "已证明：全部 {total} 步与 PyTorch 一致"),
    "verdict.incomplete": (
        "Incomplete: {proved} of {total} steps are proved; no rule for {missing}",
        "不完整：{total} 步中 {proved} 步已证明；尚无规则：{missing}",
    ),
    "verdict.failed": (
        "The model cannot run on this input: it stops at step {last}",
        "模型无法在此输入上运行：停在第 {last} 步",
    ),
    "verdict.mismatch": (
        "A rule disagrees with PyTorch: this is a mistake in shapeproof, please report it",
        "有规则与 PyTorch 不一致：这是 shapeproof 的错误，请报告",
    ),
    "mark.proved": ("the rule and PyTorch agree", "规则与 PyTorch 一致"),
    "mark.mismatch": ("the rule and PyTorch disagree", "规则与 PyTorch 不一致"),
    "mark.unsupported": ("no rule: the shape is PyTorch's alone", "尚无规则：形状仅来自 PyTorch"),
    "mark.failed": ("PyTorch refuses this call", "PyTorch 拒绝这一调用"),
    "facts": ("At a glance", "概览"),
    "output": ("output", "输出"),
    "parameters": ("parameters", "参数"),
    "macs": ("multiply-adds", "乘加次数"),
    "memory": ("bytes of results", "结果字节数"),
    "weights": ("bytes of parameters", "参数字节数"),
    "unknown": ("unknown", "未知"),
    "tried": ("tried at {sizes}", "试运行于 {sizes}"),
    "works": ("works for", "适用于"),
    "run": ("run", "运行"),
    "put": (
        "not run at these sizes: they are put into the letters of a run at {sizes}",
        "未在这些尺寸上运行：它们被代入在 {sizes} 运行所得的字母表达式",
    ),
    "again": ("run again at these sizes: {why}", "已在这些尺寸上重新运行：{why}"),
    "domain.exact": ("exactly: borne out by running at every edge", "精确：已在每个边界实际运行验证"),
    "domain.open": (
        "by the rules; not every edge could be confirmed by running",
        "依据规则；并非每个边界都能通过运行确认",
    ),
    "unused": ("never called", "从未调用"),
    "sizes": ("Try other sizes", "换个尺寸试试"),
    "sizes.hint": (
        "Every size on this page follows. Green is where the model runs.",
        "本页所有尺寸随之更新。绿色部分是模型可以运行的范围。",
    ),
    "inside": ("The model runs at {sizes}.", "模型可以在 {sizes} 运行。"),
    "outside": (
        "The model does not run at {sizes}: {where} needs {condition}.",
        "模型不能在 {sizes} 运行：{where} 要求 {condition}。",
    ),
    "beyond": ("The model does not run at {sizes}.", "模型不能在 {sizes} 运行。"),
    "mended": (
        "At {sizes} the step that failed would run; derive there to see the rest.",
        "在 {sizes} 失败的那一步可以运行；请在该尺寸重新推导以查看其余步骤。",
    ),
    "another": (
        "At {sizes} the model's own code takes another way than the one shown: {condition} no longer holds. It runs.",
        "在 {sizes} 模型自身代码走的是另一条分支：{condition} 不再成立。模型可以运行，但此处的尺寸属于所示分支。",
    ),
    "its.path": ("the path that the model's own code takes", "模型自身代码所走的分支"),
    "reset": ("back", "复位"),
    "why": ("Why it fails", "为什么失败"),
    "expected": ("expected", "期望"),
    "got": ("got", "实际"),
    "fixes": ("What mends it", "怎样修复"),
    "fix.proved": ("tried: the model then runs", "已试过：修改后模型可以运行"),
    "fix.open": ("not proved", "未证明"),
    "patch": ("as a patch", "查看补丁"),
    "warnings": ("It runs, and is still almost surely wrong", "能运行，但几乎肯定有错"),
    "steps": ("Step by step", "逐步推导"),
    "steps.scale": (
        "Drawn to scale: height and width on one scale, channels (depth) on another; long flat vectors are cut.",
        "按比例绘制：高和宽用同一比例，通道（深度）用另一比例；过长的向量被截短。",
    ),
    "steps.hint": (
        "Point at a layer, or move with the arrow keys, to see its window slide.",
        "指向某一层，或用方向键移动，观看窗口滑动。",
    ),
    "input": ("input", "输入"),
    "model": ("the model itself", "模型本身"),
    "more": ("details", "详情"),
    "step": ("step", "步骤"),
    "line": ("line", "代码行"),
    "takes": ("takes", "输入形状"),
    "from": ("from", "来自"),
    "from.step": ("step {n}", "第 {n} 步"),
    "requires": ("requires", "要求"),
    "field": ("receptive field {size}, stride {stride}", "感受野 {size}，步幅 {stride}"),
    "in.letters": ("in letters", "用字母表示"),
    "axis.0": ("planes", "平面"),
    "axis.1": ("rows", "行"),
    "axis.2": ("columns", "列"),
    "drops": ("the floor drops {what}", "取整丢掉了{what}"),
    "element": ("the last element", "最后一个元素"),
    "elements": ("the last {n} elements", "最后 {n} 个元素"),
    "row": ("the last row", "最后一行"),
    "rows": ("the last {n} rows", "最后 {n} 行"),
    "column": ("the last column", "最后一列"),
    "columns": ("the last {n} columns", "最后 {n} 列"),
    "and": (" and ", "和"),
    "repeats": ("{times} times the same {length} steps", "相同的 {length} 步重复 {times} 次"),
    "window": ("The window", "窗口"),
    "window.none": (
        "This step slides no window. Point at a convolution or a pooling.",
        "这一步没有滑动窗口。请指向卷积或池化。",
    ),
    "window.made": (
        "kernel {k}, stride {s}, padding {p}, dilation {d}",
        "核 {k}，步幅 {s}，填充 {p}，膨胀 {d}",
    ),
    "window.at": (
        "Position {n} of {total}: element ({y}, {x}) of the output",
        "第 {n} / {total} 个位置：输出元素 ({y}, {x})",
    ),
    "window.kept": ("Every row and column of the input is reached.", "输入的每一行每一列都被覆盖。"),
    "window.input": ("input {h} x {w}", "输入 {h} x {w}"),
    "window.output": ("output {h} x {w}", "输出 {h} x {w}"),
    "window.close": ("closer", "放大"),
    "window.nowhere": ("The window fits nowhere at these sizes.", "在这些尺寸下窗口无处可放。"),
    "play": ("play", "播放"),
    "pause": ("pause", "暂停"),
    "position": ("position", "位置"),
    "made.by": ("made by shapeproof {version}", "由 shapeproof {version} 生成"),
    # the report of a run
    "run.glance": ("At a glance", "概览"),
    "run.accuracy": ("test accuracy", "测试准确率"),
    "run.interval": ("95 % interval {low} to {high} %, {count} pictures", "95% 区间 {low} 至 {high} %，{count} 张图片"),
    "run.loss": ("test loss", "测试损失"),
    "run.calibration": ("calibration error", "校准误差"),
    "run.time": ("training time", "训练时间"),
    "run.speed": ("pictures a second", "每秒图片数"),
    "run.data": ("data", "数据"),
    "run.recipe": ("recipe", "配方"),
    "run.seed": ("seed", "随机种子"),
    "run.state": ("state", "状态"),
    "run.finished": ("finished", "已完成"),
    "run.stopped": ("stopped early", "提前停止"),
    "run.diverged": ("diverged", "发散"),
    "run.running": ("not finished", "未完成"),
    "run.network": ("network", "网络"),
    "run.curves": ("How it learned", "学习过程"),
    "run.loss.curve": ("Loss (cross entropy)", "损失（交叉熵）"),
    "run.accuracy.curve": ("Accuracy", "准确率"),
    "run.epochs": ("epochs", "轮次"),
    "run.step": ("one batch", "单个批次"),
    "run.train": ("training, mean of the epoch so far", "训练，本轮至今的平均"),
    "run.validation": ("validation", "验证"),
    "run.nothing": ("Nothing to draw yet.", "尚无可绘制的内容。"),
    "run.classes": ("Each class", "各类别"),
    "run.classes.hint": (
        "The bar is the share of a class's pictures told right; the line over it is the 95 % interval.",
        "条形表示该类图片中判断正确的比例；其上的线段是 95% 区间。",
    ),
    "run.class": ("class", "类别"),
    "run.right": ("told right", "判断正确"),
    "run.confusion": ("What was taken for what", "混淆情况"),
    "run.confusion.hint": (
        "Rows: what it is. Columns: what it was taken for.",
        "行：实际类别。列：判断的类别。",
    ),
    "run.confused": ("{true} taken for {told}: {count}", "{true} 被当作 {told}：{count}"),
    "run.mistakes": ("The worst mistakes", "最严重的错误"),
    "run.mistakes.hint": (
        "Wrong and most sure of it. {count} of {total} test pictures were told wrong.",
        "错得最有把握的图片。{total} 张测试图片中有 {count} 张判断错误。",
    ),
    "run.mistake": ("{true}, taken for {told}", "{true}，被当作 {told}"),
    "run.sure": ("{share} % sure, picture {n}", "把握 {share} %，第 {n} 张"),
    "run.perfect": ("No test picture was told wrong.", "没有判断错误的测试图片。"),
    "run.filters": ("What the first layer looks for", "第一层在寻找什么"),
    "run.filters.hint": (
        "The {count} kernels of {module}, each stretched from black to white.",
        "{module} 的 {count} 个卷积核，每个都拉伸到从黑到白。",
    ),
    "run.stages": ("One picture through all stages", "一张图片经过各阶段"),
    "run.stages.hint": (
        "Picture {n}, a {true}. Below it the feature maps at the end of each stage: height x width x channels.",
        "第 {n} 张图片，类别 {true}。其下是各阶段末尾的特征图：高 x 宽 x 通道数。",
    ),
    "run.whole": (
        "The whole picture is shown; training and testing read its middle, {size}.",
        "此处用的是整张图片；训练和测试读取其中间的 {size}。",
    ),
    "run.first": ("the first {shown} of {count} maps", "{count} 个特征图中的前 {shown} 个"),
    "run.how": ("How it was trained, and how to repeat it", "训练方式与复现方法"),
    "run.repeat": ("Repeat it:", "复现："),
    "run.continue": ("Continue it:", "继续训练："),
    "run.same": (
        "The same machine, versions and thread count give the same weights, bit for bit.",
        "相同的机器、版本和线程数会得到逐位相同的权重。",
    ),
    "run.settings": ("Everything that decides the result", "决定结果的全部设置"),
    "run.derivation": ("The network, step by step", "网络的逐步推导"),
    "run.part": ("This part could not be made: {why}", "这一部分无法生成：{why}"),
    "run.unmeasured": (
        "The run was not measured on test pictures: {why}",
        "未在测试图片上评估：{why}",
    ),
    "run.not.over": ("it did not come to its end", "训练没有完成"),
    "run.compare": ("Runs side by side", "并排比较"),
    "run.differs": ("What differs", "不同之处"),
    "run.alike": ("In everything else that decides the result they are alike.", "其余决定结果的设置全都相同。"),
    # words in a rule's line of arithmetic
    "word.needs": ("needs", "需要"),
    "word.has": ("has", "实有"),
    "word.channels": ("channels", "通道"),
    "word.with": ("with", "与"),
    "word.of": ("of", "/"),
    "word.into": ("into", "写入"),
    "word.unsupported": ("no rule: the shape is PyTorch's alone", "尚无规则：形状仅来自 PyTorch"),
}

# a rule's formula in words -> the same in Chinese
FORMULAS = {
    "out = in": "输出 = 输入",
    "out = size": "输出 = size",
    "out = output_size": "输出 = output_size",
    "out = broadcast(a, b)": "输出 = 广播(a, b)",
    "product of sizes stays": "各尺寸之积不变",
    "sum along dim": "沿 dim 相加",
    "drop dim": "去掉 dim",
    "dim -> 1": "dim → 1",
    "insert 1": "插入 1",
    "drop 1s": "去掉 1",
    "insert the count": "插入个数",
    "dims swapped": "交换维度",
    "dims moved": "移动维度",
    "in place": "原地写入",
    "sizes along dim": "沿 dim 的各尺寸",
    "length along dim": "沿 dim 的长度",
    "order turned round": "颠倒顺序",
}


def said(key: str, tag: str = "span", **values: object) -> str:
    """A text of the table as HTML in English, marked so that the page can say it in Chinese.

    Args:
        key: of :data:`STRINGS`.
        tag: the element to put it in.
        values: what to fill in, as plain text.

    Raises:
        KeyError: for a key that the table does not have.
    """
    text = STRINGS[key][0].format(**values)
    filled = f" data-v='{packed(values)}'" if values else ""
    return f'<{tag} data-t="{key}"{filled}>{escape(text)}</{tag}>'


def packed(value: object) -> str:
    """A value as JSON for an attribute between single quotes."""
    text = json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    return text.replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")


def both(english: str, chinese: str, tag: str = "span") -> str:
    """A text that stands in no table, such as a rule's formula, in both languages."""
    return f'<{tag} data-zh="{escape(chinese)}">{escape(english)}</{tag}>'


def sentence(text: str) -> str:
    """A sentence of a diagnosis, in Chinese too where it has one."""
    told = chinese(text)
    return f'<span lang="en">{escape(text)}</span>' if told is None else both(text, told)


def domain_words(text: str) -> str:
    """A domain as HTML; what is not mathematics in it, in both languages."""
    chinese = text.replace(" or ", " 或 ").replace(" with ", "，其中 ").replace(" more ranges", " 个其他范围")
    return both(text, chinese.replace("no sizes", "没有任何尺寸"))


def words_for(body: str) -> dict[str, tuple[str, str]]:
    """The strings that a page's script needs: those that its body shows, and those that the script itself puts in."""
    shown = set(re.findall(r'data-t="([^"]+)"', body))
    return {key: pair for key, pair in STRINGS.items() if key in shown or not key.startswith(("run.", "word."))}
