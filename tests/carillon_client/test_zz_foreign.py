import asyncio
from shared.cache import Cache, ProfileCache
from shared.schemas.profile import Profile
from tests.carillon_client.engines import empty_redis
def test_foreign(command, user, template, monkeypatch):
    import os; from tests.carillon_client.engines import with_path
    url = with_path(os.environ["REDIS_URL"], "1")
    async def put():
        c = Cache(url); await c.open()
        await ProfileCache(c).put_many([Profile(user_id=user.id, version=99, email="x@example.com", enabled=frozenset())]); await c.close()
    asyncio.run(put())
    r = command("send","--user",user.id,"--template",template,"--channel","email","--var","name=Ada","--follow")
    print(user.id, r.exit_code, r.output)
