"""The units of answers and their spellings. Units are not converted: 1 km is not 1000 m."""

# One line per unit: its name, then its other spellings. Plurals in -s are added automatically.
_TABLE = """
%|percent
$|dollar|usd
¢|cent
€|euro|eur
£|gbp
¥|yen
°|degree|deg
mm|millimeter|millimetre
cm|centimeter|centimetre
m|meter|metre
km|kilometer|kilometre
in|inch|inches
ft|foot|feet
yd|yard
mi|mile
mg|milligram
g|gram
kg|kilogram
t|ton|tonne
lb|lbs|pound
oz|ounce
ml|milliliter|millilitre
l|liter|litre
gal|gallon
ms|millisecond
s|sec|second
min|minute
h|hr|hour
day
week
month
yr|year
°c|celsius|degrees celsius|degree celsius
°f|fahrenheit|degrees fahrenheit|degree fahrenheit
k|kelvin
m/s|meters per second|metres per second
km/h|kph|kilometers per hour|kilometres per hour
mph|mi/h|miles per hour
mm^2|sq mm|square millimeters|square millimetres
cm^2|sq cm|square centimeters|square centimetres
m^2|sq m|square meters|square metres
km^2|sq km|square kilometers|square kilometres
in^2|sq in|square inches
ft^2|sq ft|square feet
cm^3|cc|cubic centimeters|cubic centimetres
m^3|cubic meters|cubic metres
"""


def _spellings() -> dict[str, str]:
    found = {}
    for line in _TABLE.strip().split("\n"):
        name, *others = line.split("|")
        for spelling in (name, *others):
            found[spelling] = name
            if spelling.isalpha() and len(spelling) > 2:
                found[f"{spelling}s"] = name
    return found


UNITS = _spellings()
NAMES = frozenset(UNITS.values())
