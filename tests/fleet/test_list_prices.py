"""AWS's list prices: an entry of the price list as the service returns it."""

from pdfbatch.fleet.list_prices import dollars


def product(*prices: str) -> dict[str, object]:
    dimensions = {str(number): {"pricePerUnit": {"USD": price}} for number, price in enumerate(prices)}
    return {"terms": {"OnDemand": {"SKU.TERM": {"priceDimensions": dimensions}}, "Reserved": {}}}


def test_prices_above_zero_are_taken_from_the_on_demand_terms() -> None:
    assert list(dollars(product("0.5260000000"))) == [0.526]
    assert list(dollars(product("0.0000000000", "0.0800000000"))) == [0.08]


def test_an_entry_without_on_demand_terms_has_no_price() -> None:
    assert list(dollars({"terms": {"Reserved": {}}})) == [] == list(dollars({}))
