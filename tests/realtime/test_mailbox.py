import asyncio

import pytest

from realtime.mailbox import Mailbox, Overflow


async def drain(mailbox):
    return [item async for item in mailbox]


async def test_items_arrive_in_order():
    mailbox = Mailbox(2, Overflow.BLOCK)

    async def write():
        for item in range(100):
            await mailbox.put(item)
            assert len(mailbox) <= 2
        mailbox.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        reader = group.create_task(drain(mailbox))
    assert reader.result() == list(range(100))
    assert mailbox.lost == 0


async def test_a_full_mailbox_makes_the_writer_wait():
    mailbox = Mailbox(1, Overflow.BLOCK)
    await mailbox.put(1)
    writer = asyncio.create_task(mailbox.put(2))
    await asyncio.sleep(0)
    assert not writer.done()
    assert await anext(mailbox) == 1
    await writer
    assert len(mailbox) == 1


async def test_a_full_mailbox_keeps_the_newest_and_counts():
    mailbox = Mailbox(2, Overflow.KEEP_NEWEST)
    for item in range(5):
        await mailbox.put(item)
    mailbox.close()
    assert await drain(mailbox) == [3, 4]
    assert mailbox.lost == 3


async def test_what_is_lost_can_leave_something_to_the_next():
    mailbox = Mailbox(2, Overflow.KEEP_NEWEST, bequeath=lambda lost, following: lost + following)
    for item in ["a", "b", "c", "d"]:
        mailbox.offer(item)
    mailbox.close()
    assert await drain(mailbox) == ["abc", "d"]


async def test_closing_frees_a_writer_that_waits():
    mailbox = Mailbox(1, Overflow.BLOCK)
    await mailbox.put(1)
    writer = asyncio.create_task(mailbox.put(2))
    await asyncio.sleep(0)
    mailbox.close()
    await writer
    await mailbox.put(3)
    assert await drain(mailbox) == [1]
    assert mailbox.lost == 2


async def test_closing_ends_a_reader_that_waits():
    mailbox = Mailbox(1, Overflow.BLOCK)
    reader = asyncio.create_task(drain(mailbox))
    await asyncio.sleep(0)
    mailbox.close()
    assert await reader == []


@pytest.mark.parametrize("overflow", Overflow)
async def test_a_cancelled_reader_loses_nothing(overflow):
    mailbox = Mailbox(3, overflow)
    reader = asyncio.create_task(drain(mailbox))
    await asyncio.sleep(0)
    mailbox.offer(1)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    mailbox.close()
    assert await drain(mailbox) == [1]
