"""Wrong passwords cost time, more with each; a right one is free."""

from medattn_app.server.logins import FREE, MAX_REMEMBERED, MAX_WAIT, Logins


def test_the_wait_begins_after_five_and_doubles_up_to_ten_minutes():
    now = [0.0]
    logins = Logins(lambda: now[0])
    waits = []
    for _ in range(FREE + 8):
        waits.append(logins.wait("a"))
        now[0] += waits[-1]
        logins.report("a", right=False)
    assert waits == [0.0] * FREE + [10, 20, 40, 80, 160, 320, 600, 600]
    assert max(waits) == MAX_WAIT and logins.wait("b") == 0
    now[0] += MAX_WAIT
    assert logins.wait("a") == 0
    logins.report("a", right=True)
    logins.report("a", right=False)
    assert logins.wait("a") == 0


def test_many_addresses_do_not_fill_the_memory():
    logins = Logins()
    for number in range(MAX_REMEMBERED + 50):
        logins.report(str(number), right=False)
    assert len(logins._wrong) == MAX_REMEMBERED
