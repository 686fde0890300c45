"""The command `minigpt speedrun`: the time to a loss, beside nanoGPT's command."""

from dataclasses import dataclass
from pathlib import Path

from minigpt import bench
from minigpt.bench.speedrun import TRACKS, read_leaderboard, record
from minigpt.bench.speedrun.leaderboard import check_recordable
from minigpt.bench.speedrun.nanogpt import PUBLISHED
from minigpt.bench.speedrun.protocol import SpeedrunText
from minigpt.cli.output import PICTURE, print_json, save_picture
from minigpt.files.lock import alone_with
from minigpt.settings import check_choice, counted
from minigpt.settings.language import Bilingual

QUICK_STEPS = 200  # of the yardstick
_RECORDED = Bilingual("recorded: {2} in {1}", "已记录：{0} 条赛道，写入 {1}")


@dataclass(frozen=True, kw_only=True)
class Speedrun:
    """Measure how soon a model reaches a loss on Tiny Shakespeare on this CPU, beside nanoGPT's command.

    Each track is a target in nats per character, over the whole validation split, with a model and a schedule of its
    own. Ctrl-C prints what is done.

    Attributes:
        tracks: which targets.
        seeds: number of seeds that each track is trained with.
        text: file with the text (default: Tiny Shakespeare, downloaded once); the figures of another text can't be
            compared.
        quick: only the shortest track, one seed, and the first 200 steps of nanoGPT's command.
        yardstick: train nanoGPT's command too: all of its 2,000 steps, or 200 with --quick.
        peer_checkout: checkout of nanoGPT, whose own model.py is trained by the same loop too; its code is run.
        record: leaderboard file that gets an entry for each track that reached its target.
        out: folder for speedrun.png.
        json: print the figures as JSON, and nothing else.
    """

    tracks: tuple[str, ...] = tuple(TRACKS)
    seeds: int = 1
    text: Path | None = None
    quick: bool = False
    yardstick: bool = True
    peer_checkout: Path | None = None
    record: Path | None = None
    out: Path = Path("runs/speedrun")
    json: bool = False

    def __call__(self) -> None:
        """Print a table, and draw the losses against the time."""
        for name in self.tracks:
            check_choice("track", name, TRACKS)
        first = tuple(TRACKS)[:1]
        if self.quick and (self.tracks not in (tuple(TRACKS), first) or self.seeds != 1):
            raise ValueError(f"--quick is track {first[0]} with one seed; leave out --quick, or --tracks and --seeds")
        if self.record is not None:
            check_recordable(SpeedrunText.of(self.text))  # refused before anything is trained, as another file is
            with alone_with(self.record):  # a file that can't be written is refused here, too
                read_leaderboard(self.record)
        names = first if self.quick else dict.fromkeys(self.tracks)
        steps = QUICK_STEPS if self.quick else PUBLISHED["max_iters"]
        report = bench.measure_speedrun(
            [TRACKS[name] for name in names],
            seeds=self.seeds,
            text=self.text,
            peer_checkout=self.peer_checkout,
            progress=not self.json,
            yardstick_steps=steps if self.yardstick else 0,
        )
        if self.json:
            print_json(report.to_json())
        else:
            print(f"\n{report}")
            picture = save_picture(report.plot, self.out / "speedrun.png", kept="the figures are complete")
            print(PICTURE.spoken().format(picture))
        if self.record is not None and (any(track.is_reached for track in report.tracks) or not report.n_missing):
            added = record(report, self.record)
            if not self.json:
                print(_RECORDED.spoken().format(len(added), self.record, counted(len(added), "track")))
        if report.n_missing:
            raise KeyboardInterrupt  # the exit status is that of other commands at Ctrl-C
