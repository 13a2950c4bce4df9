// Go: pgx with a token for each new connection of the pool.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func open(ctx context.Context) (*pgxpool.Pool, error) {
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	// From PGHOST, PGPORT, PGUSER, PGDATABASE, PGSSLMODE and PGSSLROOTCERT.
	pool, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, err
	}
	pool.BeforeConnect = func(ctx context.Context, connect *pgx.ConnConfig) error {
		endpoint := fmt.Sprintf("%s:%d", connect.Host, connect.Port)
		// Signed here, without a call to AWS; good for 15 minutes.
		token, err := auth.BuildAuthToken(ctx, endpoint, os.Getenv("RDS_REGION"), connect.User, aws.Credentials)
		connect.Password = token
		return err
	}
	return pgxpool.NewWithConfig(ctx, pool)
}

func main() {
	ctx := context.Background()
	pool, err := open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	var user, version string
	if err := pool.QueryRow(ctx, "select current_user, version()").Scan(&user, &version); err != nil {
		log.Fatal(err)
	}
	fmt.Println(user, version)
}
