with

pairs as (
    select * from {{ ref('int_programme_pair_outcomes') }}
    where not is_placebo
),

occasions as (
    select * from {{ ref('int_programme_occasions_listed') }}
),

settings as (
    select weighted_horizon_days, hazard_prior_purchases from {{ ref('programme_matching_settings') }}
),

-- the purchases at which a control might have enrolled: from the one that it is compared by to the end of the horizon, or to its enrolment
purchases_at_risk as (
    select
        pairs.horizon_days,
        pairs.member_customer_id,
        pairs.is_control_enrolled,
        floor(({{ day_diff('pairs.control_index_on', 'occasions.purchase_on') }} + 6) / 7e0) as week,
        -- cells by doubling, coarse enough to have been left and kept by many
        floor(ln(cast(occasions.purchase_number as double)) / ln(2e0)) as purchase_band,
        floor(ln(cast(greatest(occasions.mean_net_revenue, 0.0001) as double)) / ln(2e0)) as monetary_band,
        case
            when occasions.is_enrolment and pairs.is_control_enrolled then 1e0
            else 0e0
        end as enrolments
    from pairs
    inner join settings on pairs.horizon_days = settings.weighted_horizon_days
    inner join occasions
        on pairs.control_customer_id = occasions.customer_id
        and occasions.purchase_on >= {{ add_days('pairs.control_index_on', '-pairs.lag_days') }}
        and occasions.purchase_on <= {{ add_days('pairs.control_index_on', 'pairs.horizon_days') }}
),

counted as (
    select
        *,
        count(*) over (partition by purchase_band, monetary_band, week) as cell_purchases,
        sum(enrolments) over (partition by purchase_band, monetary_band, week) as cell_enrolments,
        count(*) over (partition by purchase_band, monetary_band) as band_purchases,
        sum(enrolments) over (partition by purchase_band, monetary_band) as band_enrolments,
        avg(enrolments) over () as share
    from purchases_at_risk
),

-- a week of a cell has few purchases, so it borrows from all weeks of the cell, and the cell from all
hazards as (
    select
        counted.horizon_days,
        counted.member_customer_id,
        counted.is_control_enrolled,
        (
            counted.cell_enrolments
            + settings.hazard_prior_purchases
            * (counted.band_enrolments + settings.hazard_prior_purchases * counted.share)
            / (counted.band_purchases + settings.hazard_prior_purchases)
        ) / (counted.cell_purchases + settings.hazard_prior_purchases) as hazard
    from counted
    cross join settings
),

survivors as (
    select
        horizon_days,
        member_customer_id,
        1e0 / exp(sum(ln(1e0 - hazard))) as untruncated_weight
    from hazards
    where not is_control_enrolled
    group by horizon_days, member_customer_id
),

limits as (
    select percentile_cont(0.99) within group (order by untruncated_weight) as weight_limit from survivors
),

final as (
    select
        survivors.horizon_days,
        survivors.member_customer_id,
        survivors.untruncated_weight,
        least(survivors.untruncated_weight, limits.weight_limit) as weight
    from survivors
    cross join limits
)

select * from final
