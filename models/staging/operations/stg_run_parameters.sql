{{ check_vars() }}
with

run_parameters as (
    select * from {{ source('operations', 'run_parameters') }}
),

company_settings as (
    select * from {{ source('operations', 'company_settings') }}
),

-- the one row of the run, with every setting of dbt_project.yml under its name, also where the company sets nothing
final as (
    select
        run_parameters.run_id,
        run_parameters.started_at,
        run_parameters.requested_as_of_date,
        run_parameters.yesterday,
        run_parameters.company_key,
        {% for name in var('settings') %}
        {{ setting(name) }} as {{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from run_parameters
    left join company_settings on true
    group by
        run_parameters.run_id,
        run_parameters.started_at,
        run_parameters.requested_as_of_date,
        run_parameters.yesterday,
        run_parameters.company_key
)

select * from final
