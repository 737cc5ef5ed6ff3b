import anyio

from brim.io.object_stores.buffers import Buffers


def test_parts_are_served_in_the_order_of_coming_and_a_cancelled_one_leaves_the_line():
    async def main():
        buffers, order = Buffers(total=10), []

        async def read(name, size, done):
            part = buffers.part(size)
            await buffers.take(part)
            order.append(name)
            assert buffers.taken <= 10
            await done.wait()
            buffers.give(part)

        first, rest = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, "whole", 1000, first)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(read, "second", 8, rest)
            await anyio.wait_all_tasks_blocked()
            with anyio.move_on_after(0):
                await read("never", 10, rest)
            tasks.start_soon(read, "third", 2, rest)
            await anyio.wait_all_tasks_blocked()
            assert order == ["whole"]
            first.set()
            await anyio.wait_all_tasks_blocked()
            assert order == ["whole", "second", "third"]
            rest.set()
        assert buffers.taken == 0

    anyio.run(main)
