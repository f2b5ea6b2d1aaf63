// What the page says, in both languages. PyTorch's names and formulas are the same in each.
const TABLE = {
  skip: ["Skip to the content", "跳到正文"],
  draw: ["Draw", "手写"],
  design: ["Design", "设计"],
  paper: ["Draw a digit, or drop or paste a picture of one", "写一个数字，或拖入、粘贴一张数字图片"],
  hint: ["Draw a digit here", "在这里写一个数字"],
  undo: ["Undo", "撤销"],
  clear: ["Clear", "清除"],
  open: ["Open a picture", "打开图片"],
  pen: ["Pen", "笔粗"],
  seen: ["what the network sees", "网络看到的样子"],
  sure: ["sure", "确定"],
  unsure: ["not sure", "不确定"],
  "no-ink": ["Nothing stands out from the ground.", "没有看到笔迹。"],
  "no-digit": ["This does not look like a digit.", "这看起来不像数字。"],
  between: ["It may as well be {0}.", "也可能是 {0}。"],
  "other-digit": ["A second look says {0}.", "再看一眼更像 {0}。"],
  unit: ["Click a unit of a feature map: the part of your drawing that it sees is framed.", "点击特征图中的一个单元，就会框出它在画上看到的区域。"],
  unitis: ["{0}, map {1}, row {2}, column {3}: sees {4} × {5} pixels. Value {6}.", "{0} 第 {1} 张图，第 {2} 行第 {3} 列：看到 {4} × {5} 个像素。数值 {6}。"],
  stage: ["Feature maps of {0}. Arrow keys move the unit.", "{0} 的特征图。方向键移动单元。"],
  shipped: ["The network that shapeproof ships", "shapeproof 自带的网络"],
  about: ["{0}: {1}, {2} parameters, {3} right on the test pictures. {4} steps, each derived by formula and the same in PyTorch.", "{0}：{1}，{2} 个参数，测试集正确率 {3}。{4} 步运算，每一步都由公式推出，并与 PyTorch 一致。"],
  inkcanvas: ["Paper to draw on with mouse, pen or finger. Keyboard: arrow keys move, space lowers and lifts the pen.", "用鼠标、笔或手指书写。键盘：方向键移动，空格落笔或提笔。"],
  preset: ["Begin with", "从这里开始"],
  input: ["Input", "输入"],
  add: ["Layer", "层"],
  addit: ["Add", "添加"],
  code: ["PyTorch", "PyTorch 代码"],
  copycode: ["Copy code", "复制代码"],
  copylink: ["Copy link", "复制链接"],
  copied: ["Copied.", "已复制。"],
  notcopied: ["The browser does not let this page copy. Select the text instead.", "浏览器不允许复制，请手动选择文字。"],
  mistake: ["The document's mistake", "原文的错误"],
  custom: ["Your own", "自己的"],
  up: ["Up", "上移"],
  down: ["Down", "下移"],
  remove: ["Remove", "删除"],
  from: ["takes", "取自"],
  with: ["joins", "合并"],
  follows: ["as it comes", "随输入"],
  verdict: ["Verdict", "结论"],
  proved: ["proved: {0} of {0} steps agree with PyTorch", "已证明：{0} 步全部与 PyTorch 一致"],
  incomplete: ["incomplete: a step has no rule", "不完整：有一步没有规则"],
  failed: ["cannot run", "无法运行"],
  mismatch: ["a rule disagrees with PyTorch: please report it", "规则与 PyTorch 不一致，请报告"],
  output: ["Output", "输出"],
  parameters: ["Parameters", "参数"],
  macs: ["Multiply-adds", "乘加"],
  domain: ["Works for", "适用范围"],
  exactly: ["exactly", "恰好"],
  nodomain: ["no size", "没有任何尺寸"],
  solving: ["solving ...", "求解中……"],
  notknown: ["not known", "未知"],
  fieldis: ["sees {0} × {1} of the input", "看到输入的 {0} × {1}"],
  params: ["{0} parameters", "{0} 个参数"],
  expected: ["{0} expects {1}.", "{0} 需要 {1}。"],
  got: ["What arrives is {0}.", "实际得到 {0}。"],
  maker: ["It comes from {0}:", "它来自 {0}："],
  change: ["Change {1} of {0} from {2} to {3}", "把 {0} 的 {1} 从 {2} 改为 {3}"],
  insert: ["Put a flatten before {0}", "在 {0} 前加一个 flatten"],
  tried: ["tried: the network then runs", "已试过：改后可以运行"],
  nofix: ["No single edit was found that mends it.", "没有找到只改一处就能修好的办法。"],
  "title:in-features": ["The linear layer was made for another size", "全连接层的输入尺寸不对"],
  "title:in-channels": ["The channels do not fit", "通道数不对"],
  "title:num-features": ["The normalisation was made for other channels", "归一化层的通道数不对"],
  "title:kernel-too-large": ["The window is larger than the picture", "窗口比图还大"],
  "title:residual": ["The two branches differ in size", "两个分支尺寸不同"],
  "title:broadcast": ["The two branches differ in size", "两个分支尺寸不同"],
  "title:concat": ["The two levels differ in size", "要拼接的两层尺寸不同"],
  "title:missing-flatten": ["A flatten is missing", "缺少 flatten"],
  "title:other": ["This layer cannot run", "这一层无法运行"],
  puzzle: ["A learner worked these sizes out by hand. MaxPool2d(2) halves, he thought: 28, 14, 7, and so on, and wrote 2 · 2 · 128 = 512 into the last layer. It does not run. Which step is not what he believed? Open the layers and compare.", "一位初学者手算这些尺寸。他以为 MaxPool2d(2) 就是折半：28、14、7……于是在最后一层写了 2 · 2 · 128 = 512。程序却报错。哪一步与他想的不一样?点开各层对照看看。"],
  puzzlehalf: ["{0} is as he believed. Look on.", "{0} 和他想的一样，继续找。"],
  puzzlesolved: ["That is it: at {0} the floor drops a row and a column, {1}. It is not a half. So fewer numbers reach the last layer than he wrote.", "就是这里：在 {0}，向下取整丢掉了一行一列，{1}，并不是折半。所以到达最后一层的数字比他写的少。"],
  puzzleshow: ["Show me", "告诉我"],
  dropsboth: ["the floor drops the last {2} rows and columns: {0} → {1}", "向下取整丢掉最后 {2} 行和 {2} 列：{0} → {1}"],
  dropsone: ["the floor drops the last row and the last column: {0} → {1}", "向下取整丢掉最后一行和最后一列：{0} → {1}"],
  dropsrows: ["the floor drops {2} at the end of the rows: {0} → {1}", "向下取整在行方向丢掉 {2} 行：{0} → {1}"],
  dropscolumns: ["the floor drops {2} at the end of the columns: {0} → {1}", "向下取整在列方向丢掉 {2} 列：{0} → {1}"],
  hidden: ["open to see", "点开查看"],
  broken: ["The server cannot be reached.", "无法连接服务器。"],
  movehelp: ["Enter opens, Alt+arrow keys move, Delete removes", "回车展开，Alt+方向键移动，Delete 删除"],
  unusedlink: ["The link held no network that can be used.", "链接中没有可用的网络。"],
};
let language = 0;

export function chosen() { return language ? "zh" : "en"; }

export function choose(code) {
  language = code.startsWith("zh") ? 1 : 0;
  document.documentElement.lang = language ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
}

export function say(key, ...values) {
  const entry = TABLE[key];
  if (!entry) return key;
  return entry[language].replace(/\{(\d)\}/g, (_, place) => values[place]);
}

export function knows(key) { return key in TABLE; }

// What the floor of a window drops, in words; null where it drops nothing.
export function drops(windows) {
  if (!windows?.some((w) => w[2])) return null;
  const [rows, columns] = windows;
  if (columns && rows.join() === columns.join()) return say(rows[2] === 1 ? "dropsone" : "dropsboth", ...rows);
  return [["dropsrows", rows], ["dropscolumns", columns]].filter(([, w]) => w?.[2]).map(([key, w]) => say(key, ...w)).join("; ");
}
