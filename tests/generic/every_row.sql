{#- Fails for every row on which `satisfies` is false. As in a check constraint, a row on which it is null passes. -#}
{% test every_row(model, satisfies) %}

select *
from {{ model }}
where not ({{ satisfies }})

{% endtest %}
