{#-
    Buy-till-you-die models of the purchases to come: BG/NBD (Fader, Hardie and Lee 2005, Marketing Science 24(2)) and MBG/NBD
    (Batislam, Denizel and Filiztekin 2007, IJRM 24(3)), with Gamma-Gamma for the spend (Fader and Hardie 2013). Arguments
    are SQL expressions of doubles, results are doubles; a null in gives a null out. Times are days, as in the fit.

    r, alpha, a    as fitted
    b_later        b under MBG/NBD; b - 1 under BG/NBD, whose customers are asked one time less whether they leave. With it both
                   models have the same formulas, but for customers without a repeat purchase, of whom BG/NBD has asked none
    x, t_x, T      repeat purchase days; days from the first to the latest purchase day; days from the first to the as-of date
-#}

{#- P(the customer has not left). -#}
{% macro btyd_p_alive(model_name, r, alpha, a, b_later, x, t_x, T) -%}
    {#- the power of a ratio below 1 cannot overflow, however many the purchases -#}
    {%- set waited = "power((" ~ alpha ~ " + " ~ t_x ~ ") / (" ~ alpha ~ " + " ~ T ~ "), " ~ r ~ " + " ~ x ~ ")" -%}
    case
        when {{ model_name }} = 'bg_nbd' and {{ x }} = 0 then 1e0
        else ({{ b_later }} + {{ x }}) * {{ waited }} / ({{ a }} + ({{ b_later }} + {{ x }}) * {{ waited }})
    end
{%- endmacro %}

{#- P(a purchase in the next `days`) of a customer who has not left. -#}
{% macro btyd_purchase_probability_if_alive(r, alpha, x, T, days) -%}
    1e0 - power(({{ alpha }} + {{ T }}) / ({{ alpha }} + {{ T }} + {{ days }}), {{ r }} + {{ x }})
{%- endmacro %}

{#-
    Days within which the next purchase comes with even chances: where p_alive * btyd_purchase_probability_if_alive is one half.
    Null where it never does, or not within what a double holds.
-#}
{% macro btyd_next_purchase_days(r, alpha, p_alive, x, T) -%}
    {%- set log_growth = "-ln(1e0 - 0.5e0 / " ~ p_alive ~ ") / (" ~ r ~ " + " ~ x ~ ")" -%}
    case
        when {{ p_alive }} <= 0.5e0 then null
        when {{ log_growth }} < 700e0 then ({{ alpha }} + {{ T }}) * (exp({{ log_growth }}) - 1e0)
    end
{%- endmacro %}

{#-
    Spend per purchase to be expected. `mean_spend` is the mean of the repeat purchases alone; without any, that of the
    population, less the share `never_pays` of those whose repeat purchases are all free. Gamma-Gamma knows positive spend alone:
    where the repeat purchases brought nothing, the mean of the population counts by the chance that the customer is one who
    pays and has had x free purchases, each with probability `free_day`. It is 0 where the fit has seen no free purchase.
-#}
{% macro gamma_gamma_expected_spend(p, q, gamma, never_pays, free_day, x, mean_spend) -%}
    {%- set pays = "(1e0 - " ~ never_pays ~ ") * power(" ~ free_day ~ ", " ~ x ~ ")" -%}
    case
        when {{ x }} > 0 and {{ mean_spend }} > 0
            then {{ p }} * ({{ gamma }} + {{ x }} * {{ mean_spend }}) / ({{ p }} * {{ x }} + {{ q }} - 1e0)
        else
            {{ p }} * {{ gamma }} / ({{ q }} - 1e0)
            * case
                when {{ x }} > 0 and {{ mean_spend }} <= 0
                    then coalesce({{ pays }} / nullif({{ never_pays }} + {{ pays }}, 0e0), 0e0)
                else 1e0 - {{ never_pays }}
            end
    end
{%- endmacro %}

{#-
    Purchases to be expected of a customer who has not left are, with z = days / (alpha + T + days), A = a + b_later - r, B =
    a - 1 and C = a + b_later + x,

        C / B * (1 - (1 - z)^B * F(A, B; C; z)),  F the hypergeometric function: Euler's form, whose sum converges as z^n.

    F is 1 + z A B / C * h(1), where h(n) = 1 + ratio(n) * h(n + 1) and ratio(n) = z (A + n)(B + n) / ((C + n)(n + 1)). Put
    so, B can be divided out before anything is subtracted: nothing is lost where a is near 1 or days are few, and a = 1
    needs no exception. `rest` is h(1).
-#}
{% macro btyd_purchases_if_alive(A, B, C, z, rest) -%}
    {%- set log_power = "(" ~ B ~ " * ln(1e0 - " ~ z ~ "))" -%}
    {%- set half = "(0.5e0 * " ~ log_power ~ ")" -%}
    (
        - {{ C }} * ln(1e0 - {{ z }}) * exp({{ half }})
        * case when {{ log_power }} = 0 then 1e0 else sinh({{ half }}) / {{ half }} end
        - exp({{ log_power }}) * {{ z }} * {{ A }} * {{ rest }}
    )
{%- endmacro %}

{#-
    h(first) = sum + product * h(last + 1), of the columns sum_<first> and product_<first> that are made of the ratios from
    `first` to `last`. A sum of 120 terms nested 120 deep is more than the parser of every engine bears; in blocks of eight,
    each with columns of its own, nothing is nested deeper than ten.
-#}
{% macro hypergeometric_block_columns(A, B, C, z, condition, first, last) -%}
    {%- for begin in range(first, last + 1, 8) -%}
        {%- set terms = namespace(sum='1e0', product=hypergeometric_ratio(A, B, C, z, begin + 7)) -%}
        {%- for n in range(begin + 6, begin - 1, -1) -%}
            {%- set terms.sum = '1e0 + ' ~ hypergeometric_ratio(A, B, C, z, n) ~ ' * (' ~ terms.sum ~ ')' -%}
            {%- set terms.product = hypergeometric_ratio(A, B, C, z, n) ~ ' * ' ~ terms.product -%}
        {%- endfor %}
        case when {{ condition }} then {{ terms.sum }} end as sum_{{ begin }},
        case when {{ condition }} then {{ terms.product }} end as product_{{ begin }}
        {{- ',' if not loop.last -}}
    {%- endfor -%}
{%- endmacro %}

{#- h(first) of these columns, where `rest` is h(last + 1). -#}
{% macro hypergeometric_blocks_joined(first, last, rest) -%}
    {%- set joined = namespace(sum=rest) -%}
    {%- for begin in range(first, last + 1, 8) | reverse -%}
        {%- set joined.sum = 'sum_' ~ begin ~ ' + product_' ~ begin ~ ' * (' ~ joined.sum ~ ')' -%}
    {%- endfor -%}
    {{ joined.sum }}
{%- endmacro %}

{#- h(n) for an n so great that the ratios hardly change any more: a geometric series, and one correction for their change. -#}
{% macro hypergeometric_tail(A, B, C, z, n) -%}
    {%- set ratio = hypergeometric_ratio(A, B, C, z, n) -%}
    {%- set next_ratio = hypergeometric_ratio(A, B, C, z, n + 1) -%}
    (1e0 + {{ ratio }} * (1e0 / (1e0 - {{ next_ratio }}) - 1e0 / (1e0 - {{ ratio }}))) / (1e0 - {{ ratio }})
{%- endmacro %}

{% macro hypergeometric_ratio(A, B, C, z, n) -%}
    {{ z }} * ({{ A }} + {{ n }}e0) * ({{ B }} + {{ n }}e0) / (({{ C }} + {{ n }}e0) * {{ n + 1 }}e0)
{%- endmacro %}

{#-
    Bounds of the 95% interval of a total of predictions: what customers do differs from what is expected of each
    (`dispersion`, the variance per unit expected), which is chance and evens out; and all of them may do more or less than
    expected (`relative_error`, the standard deviation of the log of that), which is a factor, so that the interval reaches
    further up than down. The distances of both add up as squares (Zou and Donner 2008). Never below zero, and open upwards (null)
    where the shared error is 10 or more: a factor of hundreds of millions says that nothing is known.
-#}
{% macro prediction_low(total, dispersion, relative_error) -%}
    {%- set share = "(1e0 - exp(-" ~ z_95() ~ " * " ~ relative_error ~ "))" -%}
    {%- set low = total ~ " - " ~ _prediction_distance(total, dispersion, share) -%}
    case when {{ low }} < 0 then 0e0 else {{ low }} end
{%- endmacro %}

{% macro prediction_high(total, dispersion, relative_error) -%}
    {%- set share = "(exp(" ~ z_95() ~ " * " ~ relative_error ~ ") - 1e0)" -%}
    case when {{ relative_error }} < 10e0 then {{ total }} + {{ _prediction_distance(total, dispersion, share) }} end
{%- endmacro %}

{% macro _prediction_distance(total, dispersion, share) -%}
    sqrt({{ total }} * {{ total }} * {{ share }} * {{ share }} + {{ z_95() }} * {{ z_95() }} * {{ dispersion }} * {{ total }})
{%- endmacro %}
