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


def slow_srtf_times(jobs, num_nodes, size):
    """Tick through every second as the published simulator does; `jobs` are (submit, run, gpus)."""
    free = [size] * num_nodes
    left = [job[1] for job in jobs]
    waits, since = [0] * len(jobs), [job[0] for job in jobs]
    queue, running, ended, now = [], [], 0, 0
    while ended < len(jobs):
        for number, chosen in list(running):
            if left[number] == 0:
                running.remove((number, chosen))
                _give(free, chosen)
                ended += 1
            else:
                left[number] -= 1
        queue += [number for number, job in enumerate(jobs) if job[0] == now]
        held = dict(running)
        fitting = _fitting(sorted([*queue, *held], key=left.__getitem__), jobs, size * num_nodes)
        for number in [number for number in sorted(held, key=left.__getitem__) if number not in fitting]:
            _give(free, held[number])
            running.remove((number, held[number]))
            queue.append(number)
            gpus = jobs[number][2]
            left[number] += 7 if gpus == 1 else 30 if gpus <= 8 else 60
            since[number] = now
        for number in [number for number in fitting if number not in held]:
            chosen = slow_place(free, jobs[number][2], size)
            if chosen is not None:
                for node, gpus in chosen.items():
                    free[node] -= gpus
                queue.remove(number)
                running.append((number, chosen))
                waits[number] += now - since[number]
        now += 1
    return waits


def _fitting(order, jobs, quota):
    found = []
    for number in order:
        if jobs[number][2] <= quota:
            quota -= jobs[number][2]
            found.append(number)
    return found


def _give(free, chosen):
    for node, gpus in chosen.items():
        free[node] += gpus
