"""SeaFormer, which the paddleseg package lacks.

Wan et al., SeaFormer: Squeeze-enhanced Axial Transformer for Mobile Semantic Segmentation, ICLR 2023, arXiv 2301.13156.
Parameter names and channel counts are those of PaddleX's published weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from paddle import Tensor, concat, nn, shape
from paddle.nn import functional

Bottleneck = tuple[int, int, int, int]  # kernel, expansion, channels, stride

POSITIONS = 16  # length of the learned position embeddings, stretched to the length of each axis


@dataclass(frozen=True)
class Size:
    """One of the four sizes. The last stages have attention; `keys` and `expansions` hold one entry for each of them.

    `stages` are the bottlenecks of the five stages, `depth` the number of attention blocks per stage, `keys` the channels of a
    head's keys, `expansions` those of the blocks' feed-forward nets, `fused` the channels after each fusion.
    """

    stages: tuple[tuple[Bottleneck, ...], ...]
    depth: int
    heads: int
    keys: tuple[int, ...]
    expansions: tuple[int, ...]
    fused: tuple[int, ...]

    @property
    def context(self) -> tuple[int, ...]:
        """Channels of the stages with attention."""
        return tuple(stage[-1][2] for stage in self.stages[-len(self.keys) :])


SIZES = {
    "SeaFormer_tiny": Size(
        stages=(
            ((3, 1, 16, 1), (3, 4, 16, 2), (3, 3, 16, 1)),
            ((5, 3, 32, 2), (5, 3, 32, 1)),
            ((3, 3, 64, 2), (3, 3, 64, 1)),
            ((5, 3, 128, 2),),
            ((3, 6, 160, 2),),
        ),
        depth=2,
        heads=4,
        keys=(16, 24),
        expansions=(2, 4),
        fused=(64, 96),
    ),
    "SeaFormer_small": Size(
        stages=(
            ((3, 1, 16, 1), (3, 4, 24, 2), (3, 3, 24, 1)),
            ((5, 3, 48, 2), (5, 3, 48, 1)),
            ((3, 3, 96, 2), (3, 3, 96, 1)),
            ((5, 4, 160, 2),),
            ((3, 6, 192, 2),),
        ),
        depth=3,
        heads=6,
        keys=(16, 24),
        expansions=(2, 4),
        fused=(96, 128),
    ),
    "SeaFormer_base": Size(
        stages=(
            ((3, 1, 16, 1), (3, 4, 32, 2), (3, 3, 32, 1)),
            ((5, 3, 64, 2), (5, 3, 64, 1)),
            ((3, 3, 128, 2), (3, 3, 128, 1)),
            ((5, 4, 192, 2),),
            ((3, 6, 256, 2),),
        ),
        depth=4,
        heads=8,
        keys=(16, 24),
        expansions=(2, 4),
        fused=(128, 160),
    ),
    "SeaFormer_large": Size(
        stages=(
            ((3, 3, 32, 1), (3, 4, 64, 2), (3, 4, 64, 1)),
            ((5, 4, 128, 2), (5, 4, 128, 1)),
            ((3, 4, 192, 2), (3, 4, 192, 1)),
            ((5, 4, 256, 2),),
            ((3, 6, 320, 2),),
        ),
        depth=3,
        heads=8,
        keys=(16, 20, 24),
        expansions=(2, 4, 6),
        fused=(128, 160, 192),
    ),
}


def build(name: str, classes: int) -> nn.Layer:
    return SeaFormer(SIZES[name], classes)


class SeaFormer(nn.Layer):
    """Like paddleseg's networks, turns images float32 [N, 3, H, W] into a list of one: logits float32 [N, classes, H, W]."""

    def __init__(self, size: Size, classes: int) -> None:
        super().__init__()
        self.backbone = Backbone(size)
        local = size.stages[1][-1][2]
        self.fusions = len(size.fused)
        for index, (context, fused) in enumerate(zip(size.context, size.fused, strict=True), 1):
            self.add_sublayer(f"fuse{index}", Fusion(local, context, fused))
            local = fused
        self.linear_fuse = _conv_norm(local, local, groups=local)
        self.cls_seg = nn.Conv2D(local, classes, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        local, *contexts = self.backbone(x)
        for index in range(self.fusions):
            local = getattr(self, f"fuse{index + 1}")(local, contexts[index])
        logits = self.cls_seg(functional.relu(self.linear_fuse(local)))
        return [functional.interpolate(logits, shape(x)[2:], mode="bilinear", align_corners=False)]


class Backbone(nn.Layer):
    """Returns detailed features at 1/8 of the image's height and width, then those of each stage with attention."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        channels = size.stages[0][0][2]
        self.stages = len(size.stages)
        self.plain = self.stages - len(size.keys)  # stages without attention
        for index, bottlenecks in enumerate(size.stages, 1):
            self.add_sublayer(f"smb{index}", _stage(channels, bottlenecks, stem=index == 1))
            channels = bottlenecks[-1][2]
        for index, (width, key, expansion) in enumerate(zip(size.context, size.keys, size.expansions, strict=True), 1):
            blocks = nn.Sequential(*(Block(width, key, size.heads, expansion) for _ in range(size.depth)))
            self.add_sublayer(f"trans{index}", nn.Sequential(("transformer_blocks", blocks)))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for index in range(self.stages):
            x = getattr(self, f"smb{index + 1}")(x)
            if index == 1:
                features.append(x)
            if index >= self.plain:
                x = getattr(self, f"trans{index - self.plain + 1}")(x)
                features.append(x)
        return features


def _conv_norm(channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2D(channels, out, kernel, stride, kernel // 2, groups=groups, bias_attr=False)
    return nn.Sequential(("_conv", conv), ("_batch_norm", nn.BatchNorm2D(out)))


def _stage(channels: int, bottlenecks: tuple[Bottleneck, ...], stem: bool) -> nn.Sequential:
    """MobileNetV2's bottlenecks, after a convolution of stride 2 in the first stage."""
    stage = nn.Sequential()
    if stem:
        stage.add_sublayer("stem_block", nn.Sequential(_conv_norm(3, channels, 3, stride=2), nn.ReLU()))
    for index, (kernel, expansion, out, stride) in enumerate(bottlenecks, 1):
        stage.add_sublayer(f"layer{index}", InvertedBottleneck(channels, out, kernel, expansion, stride))
        channels = out
    return stage


class InvertedBottleneck(nn.Layer):
    def __init__(self, channels: int, out: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = channels * expansion
        widen = [_conv_norm(channels, hidden), nn.ReLU()] if expansion > 1 else []
        filters = [_conv_norm(hidden, hidden, kernel, stride, groups=hidden), nn.ReLU()]
        self.conv = nn.Sequential(*widen, *filters, _conv_norm(hidden, out))
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.conv(x)
        return x + answer if self.residual else answer


class Block(nn.Layer):
    def __init__(self, channels: int, key: int, heads: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.attn = SqueezeAxialAttention(channels, key, heads)
        self.mlp = nn.Sequential(
            ("fc1", _conv_norm(channels, hidden)),
            ("dwconv", nn.Conv2D(hidden, hidden, 3, padding=1, groups=hidden)),
            ("act", nn.ReLU6()),
            ("fc2", _conv_norm(hidden, channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = x + self.attn(x)
        change: Tensor = self.mlp(mixed)
        return mixed + change


class SqueezeAxialAttention(nn.Layer):
    """Attention among rows and among columns, each averaged to one vector, times features that keep the detail.

    Section 3.2 of the paper. Values are twice as wide as keys.
    """

    def __init__(self, channels: int, key: int, heads: int) -> None:
        super().__init__()
        keys, values = key * heads, 2 * key * heads
        self.heads = heads
        self.scale = key**-0.5
        self.to_q = _conv_norm(channels, keys)
        self.to_k = _conv_norm(channels, keys)
        self.to_v = _conv_norm(channels, values)
        self.pos_emb_rowq = PositionEmbedding(keys)
        self.pos_emb_rowk = PositionEmbedding(keys)
        self.pos_emb_columnq = PositionEmbedding(keys)
        self.pos_emb_columnk = PositionEmbedding(keys)
        self.proj_encode_row = nn.Sequential(nn.ReLU6(), _conv_norm(values, values))
        self.proj_encode_column = nn.Sequential(nn.ReLU6(), _conv_norm(values, values))
        self.proj = nn.Sequential(nn.ReLU6(), _conv_norm(values, channels))
        joined = 2 * keys + values
        self.dwconv = _conv_norm(joined, joined, 3, groups=joined)
        self.pwconv = _conv_norm(joined, channels)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.to_q(x), self.to_k(x), self.to_v(x)
        detail: Tensor = self.pwconv(functional.relu6(self.dwconv(concat([query, key, value], axis=1))))
        rows = self._attend(self.pos_emb_rowq(query.mean(3)), self.pos_emb_rowk(key.mean(3)), value.mean(3))
        columns = self._attend(self.pos_emb_columnq(query.mean(2)), self.pos_emb_columnk(key.mean(2)), value.mean(2))
        context = self.proj_encode_row(rows.unsqueeze(3)) + self.proj_encode_column(columns.unsqueeze(2))
        return functional.hardsigmoid(self.proj(value + context)) * detail

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """[N, keys, L], [N, keys, L] and [N, values, L] to [N, values, L]."""
        queries, keys, values = (self._by_heads(part) for part in (query, key, value))
        weights = functional.softmax(queries.transpose([0, 1, 3, 2]) @ keys * self.scale)
        return (values @ weights.transpose([0, 1, 3, 2])).flatten(1, 2)

    def _by_heads(self, x: Tensor) -> Tensor:
        """[N, C, L] to [N, heads, C / heads, L]."""
        return x.reshape([0, self.heads, x.shape[1] // self.heads, -1])


class PositionEmbedding(nn.Layer):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pos_embed = self.create_parameter([1, channels, POSITIONS], default_initializer=nn.initializer.Normal())

    def forward(self, x: Tensor) -> Tensor:
        """Add the embedding to x [N, C, L]."""
        stretched = functional.interpolate(self.pos_embed, shape(x)[2:], mode="linear", align_corners=False, data_format="NCW")
        return x + stretched


class Fusion(nn.Layer):
    """Weights the details by the coarser context."""

    def __init__(self, local: int, context: int, out: int) -> None:
        super().__init__()
        self.local_embedding = _conv_norm(local, out)
        self.global_act = _conv_norm(context, out)

    def forward(self, local: Tensor, context: Tensor) -> Tensor:
        weights = functional.hardsigmoid(self.global_act(context))
        weights = functional.interpolate(weights, shape(local)[2:], mode="bilinear", align_corners=False)
        detail: Tensor = self.local_embedding(local)
        return detail * weights
