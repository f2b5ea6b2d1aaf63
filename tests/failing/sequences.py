"""Recurrent networks, attention and transformers."""

import math

import torch
import torch.nn as nn


class LstmInputSize(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(input_size=10, hidden_size=32, num_layers=2, batch_first=True)
        self.fc = nn.Linear(32, 1)

    def forward(self, x):
        out, _ = self.lstm(x)  # fails
        return self.fc(out[:, -1, :])


class LstmFeaturesFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 32, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]  # fails


class LstmHiddenBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden_size = 20
        self.num_layers = 1
        self.lstm = nn.LSTM(5, self.hidden_size, self.num_layers)
        self.linear = nn.Linear(20, 2)

    def forward(self, x):
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size)
        c0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size)
        out, _ = self.lstm(x, (h0, c0))  # fails
        return self.linear(out[:, -1])


class GruHardCodedBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 16, batch_first=True)

    def init_hidden(self):
        return torch.zeros(1, 64, 16)

    def forward(self, x):
        h = self.init_hidden()
        out, h = self.gru(x, h)  # fails
        return out


class BidirectionalHead(nn.Module):
    def __init__(self, vocab=200, emb=32, hidden=64):
        super().__init__()
        self.embedding = nn.Embedding(vocab, emb)
        self.lstm = nn.LSTM(emb, hidden, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(hidden, 5)

    def forward(self, text):
        embedded = self.embedding(text)
        output, (hidden, cell) = self.lstm(embedded)
        return self.fc(output[:, -1, :])  # fails


class BidirectionalState(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 8, bidirectional=True, batch_first=True)

    def forward(self, x):
        h0 = torch.zeros(1, x.size(0), 8)
        out, _ = self.rnn(x, h0)  # fails
        return out


class LayersOfState(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(4, 8, num_layers=3, batch_first=True)

    def forward(self, x):
        h = torch.zeros(1, x.shape[0], 8)
        return self.rnn(x, h)[0]  # fails


class CnnIntoLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Conv1d(12, 64, 3, padding=1)
        self.lstm = nn.LSTM(64, 32, batch_first=True)
        self.fc = nn.Linear(32, 3)

    def forward(self, x):
        x = torch.relu(self.cnn(x))
        out, _ = self.lstm(x)  # fails
        return self.fc(out[:, -1])


class Crnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.rnn = nn.LSTM(8 * 16, 32, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(64, 30)

    def forward(self, x):
        f = self.cnn(x)
        out, _ = self.rnn(f)  # fails
        return self.fc(out)


class UnivariateSeries(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 50, batch_first=True)
        self.linear = nn.Linear(50, 1)

    def forward(self, x):
        out, _ = self.lstm(x)  # fails
        return self.linear(out)


class EmbeddingIntoLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(1000, 100)
        self.lstm = nn.LSTM(128, 64, batch_first=True)

    def forward(self, x):
        return self.lstm(self.emb(x))[0]  # fails


class FlattenedLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 16, batch_first=True)
        self.fc = nn.Linear(16 * 10, 4)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out)  # fails


class EmbedDim(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(embed_dim=64, num_heads=4, batch_first=True)
        self.fc = nn.Linear(32, 2)

    def forward(self, x):
        a, _ = self.attn(x, x, x)  # fails
        return self.fc(a.mean(1))


class EncoderWidth(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(50, 48)
        layer = nn.TransformerEncoderLayer(d_model=64, nhead=4, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.out = nn.Linear(48, 3)

    def forward(self, tokens):
        x = self.emb(tokens)
        x = self.encoder(x)  # fails
        return self.out(x.mean(1))


class HeadsDoNotDivide(nn.Module):
    def __init__(self, dim=64, heads=6):
        super().__init__()
        self.heads = heads
        self.head_dim = dim // heads
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = q.view(b, t, self.heads, self.head_dim).transpose(1, 2)  # fails
        k = k.view(b, t, self.heads, self.head_dim).transpose(1, 2)
        v = v.view(b, t, self.heads, self.head_dim).transpose(1, 2)
        a = (q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)).softmax(-1)
        return self.proj((a @ v).transpose(1, 2).reshape(b, t, c))


class NoTranspose(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.q = nn.Linear(d, d)
        self.k = nn.Linear(d, d)
        self.v = nn.Linear(d, d)

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = torch.matmul(q, k) / math.sqrt(q.size(-1))  # fails
        return torch.softmax(scores, dim=-1) @ v


class HeadsMerged(nn.Module):
    """view after transpose: the elements no longer follow each other."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(32, 32)

    def forward(self, x):
        b, t, c = x.size()
        x = self.lin(x).view(b, t, 4, 8).transpose(1, 2)
        x = x.transpose(1, 2).transpose(1, 2)
        x = x.transpose(1, 2).permute(0, 2, 1, 3)
        return x.view(b, t, c)  # fails


class PositionsTooFew(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(100, 16)
        self.pos = nn.Parameter(torch.zeros(1, 32, 16))

    def forward(self, tokens):
        return self.emb(tokens) + self.pos  # fails


class PositionsTooMany(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(100, 16)
        self.pos = nn.Parameter(torch.zeros(1, 128, 16))

    def forward(self, tokens):
        return self.emb(tokens) + self.pos  # fails


class VitClassToken(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 24, 8, 8)
        self.cls = nn.Parameter(torch.zeros(1, 1, 24))

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        return torch.cat([self.cls, x], dim=1)  # fails


class VitOtherSize(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 24, 16, 16)
        self.pos = nn.Parameter(torch.zeros(1, 196, 24))
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = x + self.pos  # fails
        return self.head(x.mean(1))


class MaskShape(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x):
        n, t, _ = x.shape
        mask = torch.triu(torch.ones(n, n), diagonal=1).bool()
        return self.attn(x, x, x, attn_mask=mask)[0]  # fails


class MaskBatchFirst(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2)
        self.enc = nn.TransformerEncoder(layer, 1)

    def forward(self, x, pad):
        return self.enc(x, src_key_padding_mask=pad)  # fails


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = nn.Transformer(d_model=32, nhead=4, num_encoder_layers=1, num_decoder_layers=1)

    def forward(self, src, tgt):
        return self.transformer(src, tgt)  # fails


class DecoderCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(30, 12)
        self.cell = nn.LSTMCell(24, 24)

    def forward(self, tokens):
        h = torch.zeros(tokens.size(0), 24)
        c = torch.zeros(tokens.size(0), 24)
        for t in range(tokens.size(1)):
            h, c = self.cell(self.emb(tokens[:, t]), (h, c))  # fails
        return h


class MaskTimesStates(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 8, batch_first=True)

    def forward(self, x, mask):
        out, _ = self.lstm(x)
        return (out * mask).sum(1)  # fails


class Embeddings(nn.Module):
    def __init__(self):
        super().__init__()
        self.word = nn.Embedding(100, 64)
        self.kind = nn.Embedding(4, 32)

    def forward(self, word, kind):
        return self.word(word) + self.kind(kind)  # fails


CASES = [
    ("LstmInputSize", "4,7,12", "hidden-size", ["argument lstm input_size 12"]),
    ("LstmFeaturesFirst", "4,6,50", "hidden-size", ["input - layout (4, 50, 6)"]),
    ("LstmHiddenBatch", "4,7,5", "hidden-size", ["argument lstm batch_first True"]),
    ("GruHardCodedBatch", "10,7,8", "hidden-size", ["call gru * (1, 10, 16)"]),
    ("BidirectionalHead", "int64[4,9]", "in-features", ["argument fc in_features 128"]),
    ("BidirectionalState", "4,7,4", "hidden-size", ["call rnn * (2, 4, 8)"]),
    ("LayersOfState", "4,7,4", "hidden-size", ["call rnn * (3, 4, 8)"]),
    ("CnnIntoLstm", "4,12,30", "hidden-size", ["insert lstm layout x.permute(0, 2, 1)"]),
    ("Crnn", "2,1,32,100", "rank", ["insert rnn * x.flatten(1, 2).transpose(1, 2)"]),
    ("UnivariateSeries", "16,30", "hidden-size", ["insert lstm * x.unsqueeze(-1)", "input - * (16, 30, 1)"]),
    ("EmbeddingIntoLstm", "int64[2,9]", "hidden-size",
     ["argument lstm input_size 100", "argument emb embedding_dim 128"]),
    ("FlattenedLstm", "2,10,3", "missing-flatten", ["insert fc flatten torch.flatten(x, 1)"]),
    ("EmbedDim", "2,9,32", "embed-dim", ["argument attn embed_dim 32"]),
    ("EncoderWidth", "int64[2,9]", "embed-dim", ["argument encoder d_model 48"]),
    ("HeadsDoNotDivide", "2,9,64", "heads", ["argument - heads 8", "argument - heads 4"]),
    ("NoTranspose", "2,9,32", "matmul", ["call - transpose b.transpose(-2, -1)"]),
    ("HeadsMerged", "2,9,32", "view-stride", ["call - view reshape"]),
    ("PositionsTooFew", "int64[2,40]", "broadcast", ["argument - pos (1, 40, 16)", "input - size (2, 32)"]),
    ("PositionsTooMany", "int64[2,40]", "broadcast", ["insert - slice pos[:, :x.size(1)]"]),
    ("VitClassToken", "2,3,32,32", "concat", ["insert - expand x.expand(n, -1, -1)"]),
    ("VitOtherSize", "2,3,256,256", "broadcast", ["input - size (2, 3, 224, 224)"]),
    ("MaskShape", "2,9,16", "attention-mask", ["call attn mask (9, 9)"]),
    ("MaskBatchFirst", ["5,9,16", "bool[5,9]"], "attention-*", ["argument enc batch_first True",
     "insert enc.* key_padding_mask t()"]),
    ("Seq2Seq", ["3,10,32", "3,7,32"], "attention-batch", ["argument transformer batch_first True"]),
    ("DecoderCell", "int64[3,5]", "hidden-size", ["argument cell input_size 12", "argument emb embedding_dim 24"]),
    ("MaskTimesStates", ["2,9,4", "2,9"], "broadcast", ["insert - unsqueeze x.unsqueeze(-1)"]),
    ("Embeddings", ["int64[2,9]", "int64[2,9]"], "residual", ["argument kind embedding_dim 64",
     "argument word embedding_dim 32"]),
]  # fmt: skip
