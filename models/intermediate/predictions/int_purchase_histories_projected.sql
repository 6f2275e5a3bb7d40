with

features as (
    select as_of_date, repeat_purchase_days, tenure_days from {{ ref('int_customer_features') }}
),

parameters as (
    select * from {{ ref('int_btyd_parameters_pivoted') }}
),

season_days as (
    select * from {{ ref('int_season_days_counted') }}
),

prediction_horizons as (
    select horizon_days from {{ ref('prediction_horizons') }}
),

run_context as (
    select as_of_date, annual_discount_rate from {{ ref('run_context') }}
),

-- what comes of a customer who has not left depends on nothing else, and most customers share both with many others
histories as (
    select
        features.repeat_purchase_days,
        features.tenure_days
    from features
    inner join run_context on features.as_of_date = run_context.as_of_date
    group by features.repeat_purchase_days, features.tenure_days
),

discounts as (
    select
        season_days.days,
        season_days.effective_days,
        power(1e0 + run_context.annual_discount_rate, -season_days.days / 365e0) as discount,
        -- the last step has no next one, and none is asked for
        power(
            1e0 + run_context.annual_discount_rate,
            -lead(season_days.days) over (order by season_days.days asc nulls last) / 365e0
        ) as next_discount
    from season_days
    cross join run_context
),

arguments as (
    select
        histories.repeat_purchase_days,
        histories.tenure_days,
        discounts.days,
        discounts.discount,
        discounts.next_discount,
        discounts.effective_days / (parameters.alpha + histories.tenure_days + discounts.effective_days) as z,
        parameters.a + parameters.b_later - parameters.r as upper_a,
        parameters.a - 1e0 as upper_b,
        parameters.a + parameters.b_later + histories.repeat_purchase_days as lower_c,
        parameters.r + histories.repeat_purchase_days as shape
    from histories
    cross join discounts
    cross join parameters
),

-- the greater z, the more terms: 16 are enough below 0.25 and 40 below 0.5
blocks as (
    select
        arguments.*,
        {{ hypergeometric_block_columns('upper_a', 'upper_b', 'lower_c', 'z', 'z >= 0', 1, 16) }},
        {{ hypergeometric_block_columns('upper_a', 'upper_b', 'lower_c', 'z', 'z >= 0.25e0', 17, 40) }},
        {{ hypergeometric_block_columns('upper_a', 'upper_b', 'lower_c', 'z', 'z >= 0.5e0', 41, 120) }}
    from arguments
),

terms_from_41 as (
    select
        blocks.*,
        case
            when blocks.z < 0.5e0 then {{ hypergeometric_tail('upper_a', 'upper_b', 'lower_c', 'z', 41) }}
            else {{ hypergeometric_blocks_joined(41, 120, hypergeometric_tail('upper_a', 'upper_b', 'lower_c', 'z', 121)) }}
        end as from_41
    from blocks
),

terms_from_17 as (
    select
        terms_from_41.*,
        case
            when terms_from_41.z < 0.25e0 then {{ hypergeometric_tail('upper_a', 'upper_b', 'lower_c', 'z', 17) }}
            else {{ hypergeometric_blocks_joined(17, 40, 'from_41') }}
        end as from_17
    from terms_from_41
),

terms_from_1 as (
    select
        terms_from_17.*,
        {{ hypergeometric_blocks_joined(1, 16, 'from_17') }} as from_1
    from terms_from_17
),

expected as (
    select
        repeat_purchase_days,
        tenure_days,
        days,
        discount,
        next_discount,
        -- the chance of a purchase at all, and what would come of a customer who never leaves
        1e0 - power(1e0 - z, shape) as least_purchases,
        shape * z / (1e0 - z) as most_purchases,
        {{ btyd_purchases_if_alive('upper_a', 'upper_b', 'lower_c', 'z', 'from_1') }} as purchases
    from terms_from_1
),

-- a sum that has not converged, at parameters that no fit has given, stays between the two
bounded_purchases as (
    select
        repeat_purchase_days,
        tenure_days,
        days,
        discount,
        next_discount,
        {{ bounded('purchases', 'least_purchases', 'most_purchases') }} as purchases
    from expected
),

final as (
    select
        bounded_purchases.repeat_purchase_days,
        bounded_purchases.tenure_days,
        prediction_horizons.horizon_days,
        max(
            case when bounded_purchases.days = prediction_horizons.horizon_days then bounded_purchases.purchases end
        ) as purchases_if_alive,
        -- the purchases of each step, discounted from its end: the sum of (E(n) - E(n - 1)) × discount(n), rearranged
        {{ sum_rounded(
            'bounded_purchases.purchases
            * case
                when bounded_purchases.days < prediction_horizons.horizon_days
                    then bounded_purchases.discount - bounded_purchases.next_discount
                else bounded_purchases.discount
            end'
        ) }} as discounted_purchases_if_alive
    from bounded_purchases
    inner join prediction_horizons on bounded_purchases.days <= prediction_horizons.horizon_days
    group by bounded_purchases.repeat_purchase_days, bounded_purchases.tenure_days, prediction_horizons.horizon_days
)

select * from final
