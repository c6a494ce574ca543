// A gateway made of grpc-gateway: `bench-grpc-gateway LISTEN UPSTREAM`.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"weft.invalid/bench/grpc-gateway/echo"
)

const (
	streamWindow     = 1 << 20
	connectionWindow = 4 << 20
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: bench-grpc-gateway LISTEN UPSTREAM")
	}
	upstream, err := grpc.NewClient(
		os.Args[2],
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connectionWindow),
	)
	if err != nil {
		log.Fatal(err)
	}
	// As the other gateways: fields that are not set are not printed.
	json := &runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{EmitUnpopulated: false}}
	mux := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, json))
	if err := echo.RegisterEchoHandler(context.Background(), mux, upstream); err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: os.Args[1], Handler: mux}
	log.Fatal(server.ListenAndServe())
}
