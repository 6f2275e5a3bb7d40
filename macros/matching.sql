{#-
    Matching, and the effect that matched pairs show. Used where customers to whom something happened (they enrolled, they opened a
    ticket) are compared with others to whom it had not: `programme_effect` and `ticket_effect`.

    An occasion is a purchase day of a customer. What happened came `lag_days` after the latest occasion: on the index day. Occasions
    are alike where they share a cell: the same month and the same bands of what was known on the day. The model says which
    occasions are treated and which may serve as controls, which columns make a cell, and which customer an error is clustered by;
    the macros do the rest. Each macro is the body of a CTE, or an expression. A model must not name a CTE of its own as one in a macro
    that it calls: engines disagree on which of the two is meant.
-#}

{#-
    Condition of a join: `value` (a number) lies in a half-open band of `covariate`. `band` is the name of a CTE with the columns
    covariate, band_from and band_below (the next band_from of the covariate; null for the last band, which has no end). Bands do not
    overlap, so at most one row meets it. A null value meets none.
-#}
{% macro in_match_band(band, covariate, value) -%}
    {{ band }}.covariate = '{{ covariate }}'
    and {{ value }} >= {{ band }}.band_from
    and ({{ value }} < {{ band }}.band_below or {{ band }}.band_below is null)
{%- endmacro %}

{#- The end of a band, for the CTE that in_match_band joins: the next band_from of the same covariate, null for the last. -#}
{% macro match_band_below() -%}
    lead(band_from) over (partition by covariate order by band_from asc nulls last)
{%- endmacro %}

{#- Whether an id (a text) falls into the half that its hash chooses: the same half at each run. `salt`, a word, makes it another half. -#}
{% macro in_hashed_half(id, salt) -%}
    substr({{ dbt.hash("concat('" ~ salt ~ " ', " ~ id ~ ")") }}, 1, 1) < '8'
{%- endmacro %}

{#-
    One row per row of `controls` in a cell that has a treated occasion, with an index day. Who was treated some days after a purchase
    has not bought on those days, so a control must be looked at after as many days; and the lags of the controls of a cell must be
    spread as those of its treated. Therefore the controls of a cell, in the order of their days, take the lags of its treated in turn.

    `treated` and `controls` name CTEs with the columns `cell` (a list), customer_id and purchase_on; treated has lag_days (a whole
    number of days, never null), controls has no column lag_days. The result has the columns of controls, lag_days, and index_on:
    purchase_on plus lag_days (a date). The model leaves out whoever was no control on the index day. `place` and `treated_of_cell`
    are of no use afterwards.
-#}
{% macro controls_with_lags(treated, controls, cell) -%}
    with placed_treated as (
        select
            {{ cell | join(', ') }},
            lag_days,
            row_number() over (
                partition by {{ cell | join(', ') }}
                order by purchase_on asc nulls last, customer_id asc nulls last
            ) as place,
            count(*) over (partition by {{ cell | join(', ') }}) as treated_of_cell
        from {{ treated }}
    ),

    placed_controls as (
        select
            *,
            row_number() over (
                partition by {{ cell | join(', ') }}
                order by purchase_on asc nulls last, customer_id asc nulls last
            ) as place
        from {{ controls }}
    )

    select
        placed_controls.*,
        placed_treated.lag_days,
        {{ add_days('placed_controls.purchase_on', 'placed_treated.lag_days') }} as index_on
    from placed_controls
    inner join placed_treated
        on mod(placed_controls.place - 1, placed_treated.treated_of_cell) + 1 = placed_treated.place
        {% for column in cell -%}
        and placed_controls.{{ column }} = placed_treated.{{ column }}
        {% endfor %}
{%- endmacro %}

{#-
    One row per pair: nearest-neighbour matching one to one without replacement, in time, within strata that agree exactly. In the order
    of their days a treated occasion opens a bracket and a control closes it, or the other way round where none is open; the two ends of
    a bracket are a pair. In a stratum as many pairs are formed as its smaller side has occasions; where both sides have equally many,
    no other pairing has fewer days between the two of a pair in sum. Nothing depends on the order of rows.

    `candidates` names a CTE with the columns `strata` (a list), customer_id, purchase_on, `is_treated` (boolean) and `tie_breakers`
    (a list; order occasions of the same day, customer_id last). The result has strata, treated_customer_id, treated_purchase_on,
    control_customer_id, control_purchase_on. A customer may be both sides of a pair where candidates has both: the model leaves one out.
-#}
{% macro nearest_pairs(candidates, strata, is_treated, tie_breakers) -%}
    {%- set in_order -%}
        order by
            purchase_on asc nulls last,
            {%- for column in tie_breakers %}
            {{ column }} asc nulls last,
            {%- endfor %}
            customer_id asc nulls last,
            {{ is_treated }} asc nulls last
    {%- endset -%}
    with walked as (
        select
            *,
            sum(case when {{ is_treated }} then 1 else -1 end) over (
                partition by {{ strata | join(', ') }}
                {{ in_order }}
                rows between unbounded preceding and current row
            ) as level_after
        from {{ candidates }}
    ),

    levelled as (
        select
            *,
            case when {{ is_treated }} then level_after else level_after + 1 end as bracket_level
        from walked
    ),

    -- on one level the two sides take turns
    counted as (
        select
            *,
            row_number() over (
                partition by {{ strata | join(', ') }}, bracket_level
                {{ in_order }}
            ) as turn
        from levelled
    )

    select
        {{ strata | join(', ') }},
        max(case when {{ is_treated }} then customer_id end) as treated_customer_id,
        max(case when {{ is_treated }} then purchase_on end) as treated_purchase_on,
        max(case when not {{ is_treated }} then customer_id end) as control_customer_id,
        max(case when not {{ is_treated }} then purchase_on end) as control_purchase_on
    from counted
    group by {{ strata | join(', ') }}, bracket_level, floor((turn + 1) / 2)
    having count(*) = 2
{%- endmacro %}

{#-
    One row per group of pairs: the weighted mean difference of the pairs and its standard error, clustered by customer in either role,
    since the differences of pairs that share a customer move together, also where the customer is the treated of one and the control of
    another. The variance of the weighted sum adds the products of the residuals of all pairs that share a customer (Fafchamps and Gubert
    2007; Aronow, Samii and Assenova 2015): over customers the squared sums of the residuals of their pairs, less what pairs of the same
    two customers have been counted twice. It holds two-way clustering (Cameron, Gelbach and Miller 2011: treated + control - both) and
    is equal to it where nobody has both roles. A pair's own residual counts once. Where the sum is not above 0, which may happen by
    chance, the clusters are the controls. Times clusters / (clusters - 1), clusters being the different controls (Cameron and Miller 2015,
    section II). With one control, or where all pairs differ alike, there is no standard error: it would be 0. With fewer pairs, or fewer
    effective pairs, than minimum_pairs nothing is stated but how many there are.

    `differences` names a CTE with one row per pair: the columns `groups` (a list), difference (double), `treated` and `control` (the
    customers of the pair; an error is clustered by both), `values` (a list; doubles, of which the mean is taken too) and, where `weight` is
    given, a column of that name (double, above 0), by which every mean is weighted. `settings` names one with one row and minimum_pairs.
    The result has groups, matched_pairs and clusters (bigint), effective_pairs (double: the squared sum of weights over the sum of
    their squares), each of values, effect, standard_error (double), and unreliable_reason: a code of the seed `unreliability_reasons`,
    null where the effect has an interval.
-#}
{% macro clustered_effects(differences, settings, groups, values, treated, control, weight=none) -%}
    {%- set weight_of_pair = weight or '1e0' -%}
    {%- set weights = sum_in_order(weight) if weight else 'sum(1e0)' -%}
    {%- set by_group -%}
        {% for column in groups -%}
        {{ column }},
        {% endfor -%}
    {%- endset -%}
    with means as (
        select
            {{ by_group }}
            count(*) as matched_pairs,
            {{ weights }} as weights,
            {{ sum_in_order(weight ~ ' * ' ~ weight) if weight else weights }} as squared_weights,
            {%- for value in values %}
            {{ sum_in_order(weight_of_pair ~ ' * ' ~ value) }} / {{ weights }} as {{ value }},
            {%- endfor %}
            {{ sum_in_order(weight_of_pair ~ ' * difference') }} / {{ weights }} as effect
        from {{ differences }}
        group by {{ groups | join(', ') }}
    ),

    pair_residuals as (
        select
            {% for column in groups -%}
            means.{{ column }},
            {% endfor -%}
            pairs.{{ treated }} as treated,
            pairs.{{ control }} as control,
            {{ 'pairs.' ~ weight if weight else '1e0' }} * (pairs.difference - means.effect) as residual
        from {{ differences }} as pairs
        inner join means on {{ _same_group('pairs', 'means', groups) }}
    ),

    -- what is summed within: each customer in either role, the two of a pair in either order, and the control
    clustered_residuals as (
        {% for cluster, one, other in [
            ('customer', 'treated', "''"),
            ('customer', 'control', "''"),
            ('couple', 'least(treated, control)', 'greatest(treated, control)'),
            ('control', 'control', "''"),
        ] -%}
        select
            {{ by_group }}
            '{{ cluster }}' as cluster_kind,
            {{ one }} as one_customer,
            {{ other }} as other_customer,
            residual
        from pair_residuals
        {% if not loop.last %}union all{% endif %}
        {% endfor %}
    ),

    cluster_sums as (
        select
            {{ by_group }}
            cluster_kind,
            one_customer,
            other_customer,
            {{ sum_rounded('residual', 12) }} as residual
        from clustered_residuals
        group by {{ groups | join(', ') }}, cluster_kind, one_customer, other_customer
    ),

    residual_sums as (
        select
            {{ by_group }}
            count(*) filter (where cluster_kind = 'control') as clusters,
            {{ sum_in_order(
                "case cluster_kind when 'customer' then residual * residual when 'couple' then -residual * residual else 0e0 end"
            ) }} as squared_by_customer,
            {{ sum_in_order("case when cluster_kind = 'control' then residual * residual else 0e0 end") }} as squared_by_control
        from cluster_sums
        group by {{ groups | join(', ') }}
    ),

    -- sums of the same squares in another order differ in their last digits: what is that small is 0
    errors as (
        select
            {{ by_group }}
            clusters,
            case
                when clusters > 1 and squared_by_control > 0e0
                    then
                        sqrt(
                            case when squared_by_customer > 1e-9 * squared_by_control then squared_by_customer else squared_by_control end
                            * clusters / (clusters - 1e0)
                        )
            end as error_of_sum
        from residual_sums
    ),

    judged as (
        select
            means.*,
            means.weights * means.weights / means.squared_weights as effective_pairs,
            means.weights * means.weights / means.squared_weights >= {{ settings }}.minimum_pairs - 1e-6 as is_stated
        from means
        cross join {{ settings }}
    )

    select
        {% for column in groups -%}
        judged.{{ column }},
        {% endfor -%}
        judged.matched_pairs,
        errors.clusters,
        judged.effective_pairs,
        {% for value in values -%}
        case when judged.is_stated then judged.{{ value }} end as {{ value }},
        {% endfor -%}
        case when judged.is_stated then judged.effect end as effect,
        case when judged.is_stated then errors.error_of_sum / judged.weights end as standard_error,
        case
            when not judged.is_stated then 'too_few_pairs'
            when errors.error_of_sum is null then 'no_spread'
        end as unreliable_reason
    from judged
    inner join errors on {{ _same_group('judged', 'errors', groups) }}
{%- endmacro %}

{#-
    Bounds of the 95% interval of the effect of a left-joined row of clustered_effects. Where `is_share` holds, an effect is the
    difference of two shares, and its interval ends at -1 and 1.
-#}
{% macro effect_low(estimates, is_share) -%}
    {{ _effect_bound(estimates, '-', is_share) }}
{%- endmacro %}

{% macro effect_high(estimates, is_share) -%}
    {{ _effect_bound(estimates, '+', is_share) }}
{%- endmacro %}

{% macro _effect_bound(estimates, sign, is_share) -%}
    {%- set bound = '(' ~ estimates ~ '.effect ' ~ sign ~ ' ' ~ z_95() ~ ' * ' ~ estimates ~ '.standard_error)' -%}
    case when {{ is_share }} then {{ bounded(bound, '-1e0', '1e0') }} else {{ bound }} end
{%- endmacro %}

{#- The reason of a left-joined row of clustered_effects; where there is none, there is no pair. -#}
{% macro unreliable_effect_reason(estimates) -%}
    case when {{ estimates }}.matched_pairs is null then 'too_few_pairs' else {{ estimates }}.unreliable_reason end
{%- endmacro %}

{% macro _same_group(left, right, groups) -%}
    {%- for column in groups -%}
    {{ left }}.{{ column }} = {{ right }}.{{ column }}{% if not loop.last %} and {% endif %}
    {%- endfor -%}
{%- endmacro %}
