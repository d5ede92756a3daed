"""An independent, slow reading of the definition in `fleet/queueing.py`: every second, plain lists."""


def slow_place(free, gpus, size):
    """Return {node: gpus} or None."""
    if gpus <= size:
        fitting = [(count, node) for node, count in enumerate(free) if count >= gpus]
        return {min(fitting)[1]: gpus} if fitting else None
    whole, rest = divmod(gpus, size)
    empty = [node for node, count in enumerate(free) if count == size]
    if len(empty) < whole:
        return None
    chosen = dict.fromkeys(empty[:whole], size)
    if rest:
        others = [(-count, node) for node, count in enumerate(free) if node not in chosen and count >= rest]
        if not others:
            return None
        chosen[min(others)[1]] = rest
    return chosen


def slow_queue_times(jobs, num_nodes, size, order):
    """Tick through every second; `jobs` are (submit, run, gpus)."""
    free = [size] * num_nodes
    waits = [None] * len(jobs)
    running, queue, now = [], [], 0
    while None in waits or running:
        for end, chosen in [entry for entry in running if entry[0] == now]:
            for node, gpus in chosen.items():
                free[node] += gpus
            running.remove((end, chosen))
        queue += [number for number, job in enumerate(jobs) if job[0] == now]
        queue.sort(key=lambda number: jobs[number][1 if order == "sjf" else 0])
        while queue and (chosen := slow_place(free, jobs[queue[0]][2], size)) is not None:
            number = queue.pop(0)
            for node, gpus in chosen.items():
                free[node] -= gpus
            waits[number] = now - jobs[number][0]
            running.append((now + jobs[number][1], chosen))
        now += 1
    return waits
