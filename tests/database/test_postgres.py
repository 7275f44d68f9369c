async def test_smoke(database, superuser):
    print(await superuser.fetchval("select max(number) from wallet.migrations"))

async def test_any(any_database):
    pass

async def test_clock(clock):
    pass
