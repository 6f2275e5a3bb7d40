{#- ten years: nobody's past says more about a lot that lives longer -#}
with

months as (
    select {{ month_series("cast('2000-01-01' as date)", "cast('2009-12-01' as date)") }} as month_start
),

final as (
    select cast(row_number() over (order by month_start asc nulls last) - 1 as bigint) as period_number
    from months
)

select * from final
