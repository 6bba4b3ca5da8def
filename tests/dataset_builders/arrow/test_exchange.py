"""Records that tasks exchange through files."""

import numpy as np
import pyarrow as pa
import pytest

from dataset_builders.arrow import exchange
from dataset_builders.arrow.exchange import Exchange, records
from dataset_builders.common.storage import Storage


@pytest.fixture(params=["local", "memory"])
def storage(request, tmp_path):
    return Storage(str(tmp_path) if request.param == "local" else f"memory://{tmp_path.name}")


def table(rows):
    columns = {"number": np.arange(rows), "text": pa.array([str(row) * (row % 4) for row in range(rows)])}
    return records(**columns, words=pa.array([[row, row + 1][: row % 3] for row in range(rows)], pa.list_(pa.int64())))


def test_each_receiver_gets_its_records_in_order(storage, monkeypatch):
    monkeypatch.setattr(exchange, "_READ_AT_ONCE", 1 << 10)
    sent, none = table(200), np.zeros(0, np.int64)
    receiver = np.random.default_rng(0).integers(0, 9, 200)
    receiver[receiver == 4] = 5  # nothing for one of them
    box = Exchange(storage, "letters")
    box.send_all(0, [(sent, receiver), (sent.slice(0, 0), none), (sent.slice(0, 50), receiver[:50])], 9)
    box.send(1, sent.slice(0, 0), none, 9)
    box.answer(2, sent, receiver, 9)
    for number in range(9):
        expected = pa.concat_tables(
            [sent.slice(0, rows).filter(pa.array(receiver[:rows] == number)) for rows in (200, 50)]
        )
        found, counts = box.receive(number, 2)
        assert found.equals(expected)
        assert counts.tolist() == [len(expected), 0]
        groups = list(box.read_groups(number, 0))
        assert len(groups) == (0 if number == 4 else 2)
        assert len(groups) == 0 or pa.Table.from_batches(groups).equals(expected)
        assert pa.Table.from_batches([*box.answer_groups(number, 2)], sent.schema).equals(
            sent.filter(pa.array(receiver == number))
        )
