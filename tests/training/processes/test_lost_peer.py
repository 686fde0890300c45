from pathlib import Path

import losing
import pytest

from minigpt.training.processes.lost_peer import lost_peer_explained

GLOO = "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:5519. GLHF!"


def test_a_process_whose_peer_is_killed_says_so_in_one_sentence(tmp_path, torchrun):
    torchrun(2, Path(losing.__file__), tmp_path, "fsdp", expect=1)
    said = (tmp_path / "said.txt").read_text()
    assert said.startswith("ConnectionError: the connection to another process of the run is gone: it has ended")
    assert "--resume" in said and "GLHF" not in said


def test_a_broken_connection_is_explained_and_every_other_error_is_left_alone():
    with pytest.raises(ConnectionError, match="another process of the run is gone"), lost_peer_explained():
        raise RuntimeError(GLOO)
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2 can't be multiplied$"), lost_peer_explained():
        raise RuntimeError("mat1 and mat2 can't be multiplied")
