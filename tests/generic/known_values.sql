{#- Fails for every row whose `column_name` is filled and not among the values of `field` in `to`. -#}
{% test known_values(model, column_name, to, field) %}

select checked.{{ column_name }}
from {{ model }} as checked
left join {{ to }} as known on checked.{{ column_name }} = known.{{ field }}
where checked.{{ column_name }} is not null and known.{{ field }} is null

{% endtest %}
