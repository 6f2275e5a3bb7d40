with

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

first_tickets as (
    select * from {{ ref('int_first_tickets_listed') }}
),

match_bands as (
    select
        covariate,
        band_from,
        {{ match_band_below() }} as band_below
    from {{ ref('ticket_match_bands') }}
),

-- what comes after the first ticket is no time without tickets
occasions as (
    select
        purchase_days.customer_id,
        purchase_days.purchase_on,
        purchase_days.next_purchase_on,
        first_tickets.ticketed_on,
        -- the last purchase before the ticket is the one that it is compared by
        case
            when purchase_days.next_purchase_on is null or purchase_days.next_purchase_on > first_tickets.ticketed_on
                then first_tickets.ticket_kind
        end as ticket_kind,
        purchase_days.purchase_number,
        case
            when purchase_days.purchase_number = 1 then 0e0
            else
                {{ day_diff('purchase_days.first_purchase_on', 'purchase_days.purchase_on') }}
                / (purchase_days.purchase_number - 1e0)
        end as mean_interval_days
    from purchase_days
    left join first_tickets on purchase_days.customer_id = first_tickets.customer_id
    where first_tickets.ticketed_on is null or purchase_days.purchase_on <= first_tickets.ticketed_on
),

final as (
    select
        occasions.customer_id,
        occasions.purchase_on,
        occasions.next_purchase_on,
        occasions.ticketed_on,
        occasions.ticket_kind,
        case
            when occasions.ticket_kind is not null then {{ day_diff('occasions.purchase_on', 'occasions.ticketed_on') }}
        end as lag_days,
        occasions.purchase_number,
        occasions.mean_interval_days,
        concat(
            cast({{ period_start('month', 'occasions.purchase_on') }} as {{ dbt.type_string() }}),
            ' purchase ', cast(cast(purchase_bands.band_from as integer) as {{ dbt.type_string() }}),
            ' interval ', cast(cast(interval_bands.band_from as integer) as {{ dbt.type_string() }})
        ) as match_cell
    from occasions
    -- bands are half-open and do not overlap, so each of these finds one
    inner join match_bands as purchase_bands on {{ in_match_band('purchase_bands', 'purchase_number', 'occasions.purchase_number') }}
    inner join match_bands as interval_bands on {{ in_match_band('interval_bands', 'mean_interval_days', 'occasions.mean_interval_days') }}
)

select * from final
