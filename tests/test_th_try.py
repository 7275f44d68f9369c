from support.api import Api, new_user
from wallet_service.identifiers import new_id
async def test_x(api: Api) -> None:
    key, u = new_id(), new_user()
    a = await api.admin.post("/wallets", {"user_id": u, "initial_balance": "5"}, key=key)
    b = await api.admin.post("/wallets", {"user_id": u, "initial_balance": "5.0"}, key=key)
    w = a.json()["wallet_id"]
    c = await api.admin.move("consume", w, key=key+"c")
    d = await api.admin.move("consume", w, key=key+"c", dry_run=True)
    e = await api.admin.batch({"type":"consume","wallet_id":w,"amount":"1"}, key="k"*252)
    f = await api.admin.post("/wallets", {"user_id": new_user(), "metadata": {f"k{i}": i for i in range(1400)}})
    g = await api.admin.post("/wallets", {"user_id": new_user(), "initial_balance": "0.0000000"})
    for r in (b,d,e,f,g): print(r.status_code, r.text[:300], r.headers.get("idempotency-replayed"))
    assert 0
