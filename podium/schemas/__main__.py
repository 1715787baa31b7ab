from podium.core.files import write_text
from podium.schemas import KINDS, schema_path
from podium.schemas.written import schema_text

for kind in KINDS:
    write_text(schema_path(kind), schema_text(kind))
