{#-
    Fails for every key that is null in part or stands on more than one row. The key of a mart stands in its YAML once, as
    `config.meta.primary_key`, where other tools find it; a model without that names its columns here.
-#}
{% test primary_key(model, columns=none) %}

{%- set key = columns or declared_key(model) %}
select
    {{ key | join(', ') }},
    count(*) as rows_of_key
from {{ model }}
group by {{ key | join(', ') }}
having count(*) > 1 {% for column in key %}or {{ column }} is null {% endfor %}

{% endtest %}
